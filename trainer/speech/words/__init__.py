"""Words: connectionist temporal classification on transcripts, no alignment needed.

``fit`` trains and judges; what it gives has all that a bundle and a report need.
"""

from trainer.speech.words.config import WordsConfig
from trainer.speech.words.train import Parts, Trained, fit

__all__ = ["Parts", "Trained", "WordsConfig", "fit"]
