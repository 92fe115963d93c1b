"""Keywords: a few, each reported once when it has been said, and nothing for all other sound."""

from trainer.speech.keywords.config import KeywordsConfig
from trainer.speech.keywords.train import Trained, fit

__all__ = ["KeywordsConfig", "Trained", "fit"]
