"""Prefix beam search over all streams of a batch at once, with an optional language model.

The search is that of Hannun et al., "First-Pass Large Vocabulary Continuous Speech Recognition
using Bi-Directional Recurrent DNNs" (2014): for each prefix the probabilities of the paths that end
in a blank and of those that end in its last symbol. A prefix is known by a 64-bit hash, so that one
which is reached both as itself and as an extension of another is found by comparing numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool, Float32, Int64
from pipeline.heads.base import State
from pipeline.heads.speech.clock import Float64
from pipeline.heads.speech.decoder import Field
from pipeline.heads.speech.extend import Kept, Scores, extended
from pipeline.heads.speech.language import LanguageModel
from pipeline.heads.speech.tokens import COLUMNS, END, PEAK, UInt16, quantised

CERTAIN = float(np.log(0.999))  # a frame whose blank is so probable is taken for a blank
EMPTY = np.uint64(0x9E3779B97F4A7C15)  # the hash of the prefix without symbols
NOTHING = -np.inf

# The fields of hypotheses [W] that a step of the search rewrites.
HYPOTHESES = ("blank", "spoken", "prior", "context", "last", "length", "hash", "parent")


class Beam:
    """Implements the decoder contract.

    ``width`` hypotheses, each extended by the ``symbols`` most probable symbols of a frame, to
    at most ``length`` symbols an utterance; ``weight`` is the language model's, ``bonus`` is
    added for each symbol, both in nats.
    """

    def __init__(
        self,
        width: int,
        symbols: int,
        length: int,
        model: LanguageModel | None = None,
        weight: float = 0.0,
        bonus: float = 0.0,
    ) -> None:
        self.width, self.length = width, length
        self.scores = Scores(symbols, model, weight, bonus)
        self.fields: list[Field] = [
            # Log-probabilities of the paths that end in a blank, and in the last symbol, less
            # the best hypothesis's; the best is the first.
            ("blank", "f8", (width,)),
            ("spoken", "f8", (width,)),
            ("prior", "f8", (width,)),  # of the language model and the bonus
            ("hash", "u8", (width,)),
            ("parent", "u8", (width,)),  # the hash of the prefix without the last symbol
            ("context", "i4", (width,)),  # the language model's state
            ("last", "u2", (width,)),
            ("length", "u2", (width,)),
            ("tokens", "u2", (width, length, COLUMNS)),
        ]

    def start(self, initial: npt.NDArray[Any]) -> None:
        """One hypothesis: nothing was said."""
        initial["blank"], initial["spoken"] = NOTHING, NOTHING
        initial["blank"][0] = 0.0
        initial["hash"][0] = EMPTY
        initial["context"] = self.scores.start

    def begin(self, state: State, log_probs: Float32, best: npt.NDArray[np.intp]) -> BeamRun:
        """Decode one chunk."""
        return BeamRun(self, state, log_probs, best)


class BeamRun:
    """Implements the contract of a run."""

    def __init__(
        self, beam: Beam, state: State, log_probs: Float32, best: npt.NDArray[np.intp]
    ) -> None:
        self._beam = beam
        self._state = state
        self._log_probs = log_probs
        self._best = best
        self._certain = log_probs[:, :, 0] >= CERTAIN
        self._tokens = state["tokens"]
        self._now: dict[str, npt.NDArray[Any]] = {
            name: state[name].astype(np.intp) if name in ("last", "length") else state[name].copy()
            for name in HYPOTHESES
        }
        self._before = self._now["hash"][:, 0].copy()

    def step(self, frame: int, at: Int64) -> None:
        """Extend the hypotheses by one frame."""
        now, certain = self._now, self._certain[:, frame]
        blanks = np.flatnonzero(certain & (now["spoken"] > NOTHING).any(axis=1))
        if len(blanks):
            now["blank"][blanks] = np.logaddexp(now["blank"][blanks], now["spoken"][blanks])
            now["spoken"][blanks] = NOTHING
        rows = np.flatnonzero(~certain)
        if len(rows):
            self._search(rows, frame, at[rows])

    def _search(self, rows: Int64, frame: int, at: Int64) -> None:
        log_probs = self._log_probs[rows, frame].astype(np.float64)
        now = {name: column[rows] for name, column in self._now.items()}
        kept = extended(now, log_probs, self._beam.scores)
        for name in HYPOTHESES:
            self._now[name][rows] = kept.now[name]
        self._rewrite(rows, kept, at, log_probs, self._best[rows, frame])

    def _rewrite(
        self, rows: Int64, kept: Kept, at: Int64, log_probs: Float64, best: npt.NDArray[np.intp]
    ) -> None:
        """Bring the tokens of the kept hypotheses to where they are now."""
        length, last = kept.now["length"], kept.now["last"]
        moved = np.flatnonzero((kept.origin != np.arange(self._beam.width)).any(axis=1))
        if len(moved):
            most = int(length[moved].max())
            self._tokens[rows[moved], :, :most] = self._tokens[
                rows[moved][:, None], kept.origin[moved], :most
            ]
        peak = quantised(np.take_along_axis(log_probs, last, axis=1).astype(np.float32))
        row, place = np.nonzero(kept.added)
        token = (last[row, place], at[row], at[row] + 1, peak[row, place])
        self._tokens[rows[row], place, length[row, place] - 1] = np.stack(token, axis=1)
        row, place = np.nonzero(kept.held & (last == best[:, None]) & (length > 0))
        where = rows[row], place, length[row, place] - 1
        self._tokens[(*where, END)] = at[row] + 1
        self._tokens[(*where, PEAK)] = np.maximum(self._tokens[(*where, PEAK)], peak[row, place])

    def full(self) -> Bool:
        """Where any hypothesis has no room for a symbol more."""
        full: Bool = np.any(self._now["length"] >= self._beam.length, axis=1)
        return full

    def some(self) -> Bool:
        """Where any hypothesis has symbols: the one that is best as a whole may be another."""
        some: Bool = np.any(self._now["length"] > 0, axis=1)
        return some

    def tokens(self, row: int, *, final: bool) -> UInt16:
        """The symbols of the best hypothesis; as a whole utterance, the model's end counts too."""
        place = self._whole(row) if final else 0
        found: UInt16 = self._tokens[row, place, : self._now["length"][row, place]]
        return found

    def _whole(self, row: int) -> int:
        now = self._now
        score = np.logaddexp(now["blank"][row], now["spoken"][row]) + now["prior"][row]
        return int(np.argmax(score + self._beam.scores.ends(now["context"][row])))

    def reset(self, rows: Int64) -> None:
        """One hypothesis without symbols, of which the best one's last may still sound."""
        now = self._now
        blank, spoken = now["blank"][rows, 0], now["spoken"][rows, 0]
        most = np.maximum(blank, spoken)
        last = now["last"][rows, 0]
        for name in HYPOTHESES:
            now[name][rows] = 0
        now["blank"][rows], now["spoken"][rows] = NOTHING, NOTHING
        now["blank"][rows, 0], now["spoken"][rows, 0] = blank - most, spoken - most
        now["last"][rows, 0] = last
        now["hash"][rows, 0] = EMPTY
        now["context"][rows] = self._beam.scores.start
        self._before[rows] = EMPTY

    def finish(self) -> Bool:
        """Where the best hypothesis is another one than before."""
        for name in HYPOTHESES:
            self._state[name] = self._now[name]
        changed: Bool = self._now["hash"][:, 0] != self._before
        return changed
