"""What the model's labels are: whole words or characters, with the blank at 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.block import Int64
from pipeline.errors import DataError

BLANK = 0
UnitKind = Literal["words", "characters"]


@dataclass(frozen=True, slots=True)
class Units:
    """``labels`` as the manifest has them; ``separator`` is " " for words, "" for characters."""

    labels: tuple[str, ...]
    separator: str

    @property
    def kind(self) -> UnitKind:
        """Words or characters."""
        return "words" if self.separator else "characters"

    def encode(self, text: str, where: str) -> Int64:
        """The label numbers of ``text``; raises DataError for one that there is no label for."""
        pieces = self._pieces(text)
        unknown = sorted(set(pieces) - set(self.labels))
        if unknown:
            shown = ", ".join(map(repr, unknown[:5]))
            raise DataError(
                f"{where}: the {self.kind} {shown} never come in the training part; leave the "
                "recording out, or record more that have them"
            )
        return np.array([self.labels.index(piece) for piece in pieces], np.int64)

    def text(self, numbers: Sequence[int]) -> str:
        """What label numbers say; the inverse of ``encode``."""
        return self.separator.join(self.labels[number] for number in numbers).strip()

    def known(self, text: str) -> bool:
        """Whether there is a label for all of ``text``."""
        return set(self._pieces(text)) <= set(self.labels)

    def _pieces(self, text: str) -> list[str]:
        return text.split() if self.separator else list(text)


def units_of(texts: Iterable[str], kind: UnitKind) -> Units:
    """The units that ``texts`` are made of, in alphabetical order behind the blank."""
    separator = " " if kind == "words" else ""
    found = {piece for text in texts for piece in (text.split() if separator else text)}
    return Units(("", *sorted(found)), separator)


def least_frames(labels: Int64) -> int:
    """The output frames that a transcript needs: one each, and a blank between equal ones."""
    return len(labels) + int((labels[1:] == labels[:-1]).sum())
