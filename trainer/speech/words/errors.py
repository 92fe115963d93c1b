"""How far what was heard is from what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jiwer import process_words


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Words said, and the errors of the best alignment with what was heard."""

    words: int
    substitutions: int
    deletions: int
    insertions: int
    sentences: int
    wrong_sentences: int

    @property
    def rate(self) -> float:
        """Errors per word said; above 1 where more was heard than said."""
        return (self.substitutions + self.deletions + self.insertions) / self.words


def word_errors(said: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """Errors of ``heard`` against ``said``, sentence by sentence; ``said`` is never empty."""
    found = process_words(list(said), list(heard))
    return WordErrors(
        words=found.hits + found.substitutions + found.deletions,
        substitutions=found.substitutions,
        deletions=found.deletions,
        insertions=found.insertions,
        sentences=len(said),
        wrong_sentences=sum(a.split() != b.split() for a, b in zip(said, heard, strict=True)),
    )
