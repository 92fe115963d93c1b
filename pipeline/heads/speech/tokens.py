"""The symbols of one hypothesis: how they are stored, and the words that they make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.block import Float32
from pipeline.heads.speech.params import WordsParams

UInt16 = npt.NDArray[np.uint16]

# The columns of a token: the label's number, the frame it began in and the one after its last,
# counted from the utterance's begin, and the highest posterior of its frames, of PEAK_SCALE.
SYMBOL, START, END, PEAK = range(4)
COLUMNS = 4
PEAK_SCALE = 65535

MOST_CHARACTERS_PER_S = 20  # fast speech has about 15; the length of the arrays follows from it
MOST_WORDS_PER_S = 8
LEAST_TOKENS = 16


class Word(NamedTuple):
    """A word of an utterance; frames are counted from its begin."""

    text: str
    start: int
    end: int
    confidence: float


class Speller:
    """Turns tokens [n, COLUMNS] into words, by the separator rules of ``WordsParams``."""

    def __init__(self, params: WordsParams) -> None:
        self.labels = params.labels
        self.separator = params.separator
        self.pause = params.pause
        # Characters are looked up all at once.
        single = params.separator == "" and all(len(label) == 1 for label in self.labels[1:])
        self._codes = np.array([ord(label or " ") for label in self.labels]) if single else None

    def text(self, tokens: UInt16) -> tuple[str, int, int]:
        """The words as one text, the frame where they begin and the one after them; or "", 0, 0."""
        symbols = tokens[:, SYMBOL]
        if self._codes is not None:
            text = self._codes[symbols].astype("<u4").tobytes().decode("utf-32-le")
            first, last = len(text) - len(text.lstrip(" ")), len(text.rstrip(" ")) - 1
            text = text.strip(" ")
        else:
            spoken = np.flatnonzero(symbols != self.pause)
            first, last = (int(spoken[0]), int(spoken[-1])) if len(spoken) else (0, -1)
            spelt = [self.labels[symbol] for symbol in symbols[first : last + 1].tolist()]
            text = self.separator.join(spelt)
        if not text:
            return "", 0, 0
        if "  " in text:
            text = " ".join([word for word in text.split(" ") if word])
        return text, int(tokens[first, START]), int(tokens[last, END])

    def words(self, tokens: UInt16) -> list[Word]:
        """The words in order; between two pauses, before the first, after the last."""
        if self.separator == " ":
            return [
                Word(self.labels[symbol], start, end, max(peak, 1) / PEAK_SCALE)
                for symbol, start, end, peak in tokens.tolist()
            ]
        found, word = [], []
        for token in tokens.tolist():
            if token[SYMBOL] != self.pause:
                word.append(token)
            elif word:
                found.append(self._spelt(word))
                word = []
        if word:
            found.append(self._spelt(word))
        return found

    def _spelt(self, tokens: Sequence[Sequence[int]]) -> Word:
        """One word; its confidence is the geometric mean of its symbols' highest posteriors."""
        text = "".join([self.labels[token[SYMBOL]] for token in tokens])
        logs = math.fsum(math.log(max(token[PEAK], 1) / PEAK_SCALE) for token in tokens)
        return Word(text, tokens[0][START], tokens[-1][END], math.exp(logs / len(tokens)))


def longest(params: WordsParams) -> int:
    """How many symbols an utterance may have: as many as can be said in its time, and in frames."""
    rate = MOST_CHARACTERS_PER_S if params.separator == "" else MOST_WORDS_PER_S
    said = math.ceil(params.max_utterance_s * rate)
    return max(LEAST_TOKENS, min(said, params.frames(params.max_utterance_s)))


def quantised(log_probs: Float32) -> UInt16:
    """Posteriors as tokens hold them; a softmax may be above 1 by rounding."""
    found: UInt16 = np.rint(np.exp(np.minimum(log_probs, 0)) * PEAK_SCALE).astype(np.uint16)
    return found
