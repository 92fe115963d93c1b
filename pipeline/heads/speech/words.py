"""The words head: hypotheses to partial and final text, utterance by utterance."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Bool, Float32, Int64, Objects, Records
from pipeline.heads.base import State
from pipeline.heads.speech.clock import Clock
from pipeline.heads.speech.decoder import Decoder, Run
from pipeline.heads.speech.params import Outputs, WordsParams
from pipeline.heads.speech.tokens import Speller, Word
from pipeline.manifest import Manifest

PARTIAL: Final = "partial"
FINAL: Final = "final"


class _Said(NamedTuple):
    """An utterance of a row; ``first`` and ``last`` are the stream's frames that it lies between.

    Of one that goes on ``words`` are not told; their frames count from ``base``.
    """

    row: int
    utterance: int
    text: str
    first: int
    last: int
    base: int = 0
    words: Sequence[Word] = ()


class WordsHead:
    """Implements the head contract; outputs of two kinds, none of them for empty utterances.

    ``partial``, when the text of the running utterance changed with this row: ``text``,
    ``utterance`` (counted from 0 in each stream), ``start_s`` and ``end_s`` of its words, in
    seconds since the stream began; where the text was withdrawn it is empty, and both are now.
    ``final``, when an utterance ends: the same, with ``start`` and ``end`` in µs since 1970,
    ``words``, a list of ``{"word", "start_s", "end_s", "confidence"}`` in each row, and
    ``confidence``, the mean of the words'. A word's is the geometric mean of its symbols'
    posteriors, each the highest of its frames.

    A frame is silent where the blank, or the pause between words, is its most probable symbol. An
    utterance ends after ``endpoint_s`` of silence, ``max_utterance_s`` after its first frame that
    was not silent, when it has as many symbols as there is room for, or with its stream.
    """

    def __init__(self, params: WordsParams, manifest: Manifest, decoder: Decoder) -> None:
        self.params = params
        self._outputs = Outputs(manifest, params)
        self._clock = Clock(params.frame_s, params.delay_s)
        self._decoder = decoder
        self._pause = params.pause
        self._speller = Speller(params)
        self._endpoint = params.frames(params.endpoint_s)
        self._longest = params.frames(params.max_utterance_s)
        self.dtype: np.dtype[Any] = np.dtype(
            [
                ("frames", "i8"),  # since the stream began
                ("time", "i8"),  # of the last row
                ("base", "i8"),  # the frame that the utterance's tokens count from
                ("utterance", "i4"),
                ("silent", "i4"),  # frames of silence up to now
                ("age", "i4"),  # frames since the utterance's first that was not silent
                ("told", "u4"),  # checksum of the text last told of the utterance, 0 for none
                *decoder.fields,
            ]
        )
        self.initial: npt.NDArray[Any] = np.zeros((), self.dtype)
        decoder.start(self.initial)

    def step(self, batch: Batch, y: Float32, state: State) -> tuple[list[Records], State]:
        """The texts that changed with these rows, and the utterances that ended."""
        after = state.copy()
        log_probs, closed = self._outputs.read(y)
        if closed is not None and closed.any():
            log_probs = log_probs.copy()
            log_probs[closed] = -np.inf
            log_probs[closed, :, 0] = 0.0
        best = log_probs.argmax(axis=2)
        run = self._decoder.begin(after, log_probs, best)
        finals, ended = self._run(run, best, after)
        after["frames"] += self._outputs.frames
        after["time"] = batch.time
        # What was told of an utterance that ended as none is withdrawn.
        changed = run.finish() | (ended & (after["told"] != 0))
        said = [self._running(row, run, after) for row in np.flatnonzero(changed).tolist()]
        return self._records(batch, after, finals, said), after

    def end(self, batch: Batch, state: State) -> list[Records]:
        """The utterances that were still going on."""
        last = state.copy()
        none = np.zeros((len(batch), 0, len(self.params.labels)), np.float32)
        run = self._decoder.begin(last, none, np.zeros((len(batch), 0), np.intp))
        finals = self._ended(np.flatnonzero(run.some()), run, last)
        untold = [self._withdrawn(row, last) for row in np.flatnonzero(last["told"]).tolist()]
        return self._records(batch, last, finals, untold)

    def _run(self, run: Run, best: npt.NDArray[np.intp], state: State) -> tuple[list[_Said], Bool]:
        """Decode frame after frame: the utterances that ended with words, and where any did."""
        silence = (best == 0) | (best == self._pause)
        silent, age, base = (state[name].copy() for name in ("silent", "age", "base"))
        frame = state["frames"]
        finals: list[_Said] = []
        ended = np.zeros(len(state), np.bool_)
        for at in range(best.shape[1]):
            run.step(at, frame + at - base)
            quiet = silence[:, at]
            silent = np.where(quiet, silent + 1, 0)
            age = np.where(quiet & (age == 0), 0, age + 1)
            over = (silent >= self._endpoint) | (age >= self._longest) | run.full()
            if over.any():
                rows = np.flatnonzero(over)
                state["base"] = base
                finals += self._ended(rows[run.some()[rows]], run, state)
                run.reset(rows)
                ended |= over
                silent[rows], age[rows], base[rows] = 0, 0, frame[rows] + at + 1
        state["silent"], state["age"], state["base"] = silent, age, base
        return finals, ended

    def _ended(self, over: Int64, run: Run, state: State) -> list[_Said]:
        said = [self._whole(row, run, state) for row in over.tolist()]
        said = [one for one in said if one.words]
        rows = np.array([one.row for one in said], np.intp)
        state["utterance"][rows] += 1
        state["told"][rows] = 0
        return said

    def _whole(self, row: int, run: Run, state: State) -> _Said:
        """What was said in an utterance that ends."""
        words = self._speller.words(run.tokens(row, final=True))
        if not words:
            return self._withdrawn(row, state)
        base = int(state["base"][row])
        first, last = base + words[0].start, base + words[-1].end
        text = " ".join([word.text for word in words])
        return _Said(row, int(state["utterance"][row]), text, first, last, base, words)

    def _running(self, row: int, run: Run, state: State) -> _Said:
        """What was said so far in an utterance that goes on."""
        text, start, end = self._speller.text(run.tokens(row, final=False))
        if not text:
            return self._withdrawn(row, state)
        base = int(state["base"][row])
        return _Said(row, int(state["utterance"][row]), text, base + start, base + end)

    def _withdrawn(self, row: int, state: State) -> _Said:
        """Nothing, and that now."""
        now = int(state["frames"][row])
        return _Said(row, int(state["utterance"][row]), "", now, now)

    def _is_news(self, said: _Said, state: State) -> bool:
        """Whether the text is not the one told last; it is from now on."""
        told = zlib.crc32(said.text.encode())
        news: bool = state["told"][said.row] != told
        state["told"][said.row] = told
        return news

    def _records(
        self, batch: Batch, state: State, finals: list[_Said], said: list[_Said]
    ) -> list[Records]:
        """The records of utterances that ended, and of those of ``said`` that are news."""
        news = [one for one in said if self._is_news(one, state)]
        records = []
        if finals:
            records.append(self._finals(batch, state, finals))
        if news:
            records.append(self._partials(batch, news))
        return records

    def _partials(self, batch: Batch, said: list[_Said]) -> Records:
        rows = np.array([one.row for one in said])
        return batch.records(PARTIAL, rows, **self._columns(said))

    def _finals(self, batch: Batch, state: State, said: list[_Said]) -> Records:
        said = sorted(said, key=lambda one: one.row)  # stable: a stream's stay in order
        rows = np.array([one.row for one in said])
        frames, time = state["frames"][rows], state["time"][rows]
        columns = self._columns(said)
        confidence = [math.fsum(word.confidence for word in one.words) for one in said]
        count = [len(one.words) for one in said]
        return batch.records(
            FINAL,
            rows,
            **columns,
            start=self._clock.since_1970(columns["start_s"], frames, time),
            end=self._clock.since_1970(columns["end_s"], frames, time),
            confidence=np.round(np.divide(confidence, count), 4).astype(np.float32),
            words=_objects([self._words(one) for one in said]),
        )

    def _columns(self, said: list[_Said]) -> dict[str, npt.NDArray[Any]]:
        return {
            "text": _objects([one.text for one in said]),
            "utterance": np.array([one.utterance for one in said], np.int32),
            "start_s": self._clock.seconds(np.array([one.first for one in said])),
            "end_s": self._clock.seconds(np.array([one.last for one in said])),
        }

    def _words(self, said: _Said) -> list[dict[str, Any]]:
        seconds = self._clock.seconds
        starts = seconds(np.array([said.base + word.start for word in said.words])).tolist()
        ends = seconds(np.array([said.base + word.end for word in said.words])).tolist()
        return [
            {
                "word": word.text,
                "start_s": start,
                "end_s": end,
                "confidence": round(word.confidence, 4),
            }
            for word, start, end in zip(said.words, starts, ends, strict=True)
        ]


def _objects(items: list[Any]) -> Objects:
    found: Objects = np.empty(len(items), np.object_)
    for at, item in enumerate(items):  # of lists, numpy would make a second axis
        found[at] = item
    return found
