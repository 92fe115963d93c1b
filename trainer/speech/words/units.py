"""What the model's labels are: whole words or characters, with the blank at 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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

    def known(self, text: str) -> Int64:
        """The label numbers of ``text`` without what there is no label for."""
        pieces = [piece for piece in self._pieces(text) if piece in self.labels]
        return np.array([self.labels.index(piece) for piece in pieces], np.int64)

    def _pieces(self, text: str) -> list[str]:
        return text.split() if self.separator else list(text)


def units_of(texts: Iterable[str], kind: UnitKind) -> Units:
    """The units that ``texts`` are made of, in alphabetical order behind the blank."""
    separator = " " if kind == "words" else ""
    found = {piece for text in texts for piece in (text.split() if separator else text)}
    return Units(("", *sorted(found)), separator)


Lexicon = Mapping[str, Sequence[str]]  # the phones of each word


@dataclass(frozen=True, slots=True)
class Pieces:
    """What words are made of, as a help in training: phones of a lexicon, or characters."""

    symbols: tuple[str, ...]  # the blank at 0
    lexicon: Lexicon

    def encode(self, text: str) -> Int64:
        """The numbers of all pieces in ``text``, word by word; unknown ones are left out."""
        pieces = [piece for word in text.split() for piece in self.lexicon.get(word, word)]
        known = [self.symbols.index(piece) for piece in pieces if piece in self.symbols]
        return np.array(known, np.int64)


def pieces_of(texts: Iterable[str], lexicon: Lexicon | None) -> Pieces:
    """The pieces of ``texts``; a word that the lexicon lacks is made of its characters."""
    lexicon = lexicon or {}
    words = {word for text in texts for word in text.split()}
    found = {piece for word in words for piece in lexicon.get(word, word)}
    return Pieces(("", *sorted(found)), lexicon)


def read_lexicon(path: Path) -> dict[str, tuple[str, ...]]:
    """A pronunciation dictionary: a word and its phones in a line, as CMU's are written.

    Of several pronunciations, ``word(2)``, the first counts. Raises DataError.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: can't read the lexicon: {error}") from error
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields or line.startswith((";;;", "#")):
            continue
        if len(fields) < 2:
            raise DataError(f"{path}, line {number}: {line!r} has no phones behind the word")
        if not fields[0].endswith(")"):
            found.setdefault(fields[0], tuple(fields[1:]))
    return found


def least_frames(labels: Int64) -> int:
    """The output frames that a transcript needs: one each, and a blank between equal ones."""
    return len(labels) + int((labels[1:] == labels[:-1]).sum())
