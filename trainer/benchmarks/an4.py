"""Connected letters, digits and commands (AN4) from their cepstra, speakers held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import DataError
from trainer.fit import Progress
from trainer.speech.data import Corpus, hold_out, read_corpus
from trainer.speech.words.config import WordsConfig
from trainer.speech.words.errors import WordErrors, word_errors
from trainer.speech.words.train import Parts, Trained, fit
from trainer.speech.words.units import read_lexicon

SPEAKER = "-([a-z0-9]+)-"  # the middle part of an id
TEST_UTTERANCES = 100  # at least; whole speakers, in the order of a hash of their names
WATCHED_UTTERANCES = 70  # of yet other speakers: they choose the epoch
LEXICON = "an4.dic"
# The dictionary's first pronunciation of A is the article's; here it is always the letter.
LETTER = {"A": ("EY",)}
SETTINGS: dict[str, Any] = {
    "subsampling": 4,
    "batch": 8,
    "epochs": 60,
    "patience": 60,
    "dropout": 0.2,
    "masks": 2,
    "mask_s": 0.1,
    "mask_width": 3,
}


@dataclass(frozen=True, slots=True)
class Found:
    """The test part's word errors, and the model."""

    errors: WordErrors
    parts: Parts
    trained: Trained


def load(folder: Path) -> tuple[Corpus, Parts]:
    """Read features.npz and transcripts.tsv, and split by speakers. Raises DataError."""
    corpus = read_corpus(folder, speaker=SPEAKER)
    if corpus.sample_rate_hz is not None:
        raise DataError(f"{folder}: features.npz is needed")
    everything = corpus.recordings
    rest, test = hold_out(everything, TEST_UTTERANCES / len(everything))
    remaining = [everything[at] for at in rest]
    kept, watched = hold_out(remaining, WATCHED_UTTERANCES / len(remaining))
    return corpus, Parts(
        tuple(remaining[at] for at in kept),
        tuple(remaining[at] for at in watched),
        tuple(everything[at] for at in test),
    )


def run(folder: Path, config: WordsConfig, *, workdir: Path, progress: Progress) -> Found:
    """Train on the training speakers and hear the test speakers."""
    corpus, parts = load(folder)
    lexicon = {**read_lexicon(folder / LEXICON), **LETTER}
    trained = fit(corpus, config, workdir=workdir, progress=progress, parts=parts, lexicon=lexicon)
    said = [one.text for one in parts.test]
    return Found(word_errors(said, trained.heard), parts, trained)
