"""The keyword head: smoothed posteriors against thresholds, one report for each time it is said.

The smoothing is that of Chen, Parada & Heigold, "Small-footprint keyword spotting using deep
neural networks" (2014): the mean of the posteriors over a window that ends with the frame.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Bool, Float32, Int64, Records
from pipeline.errors import BundleError
from pipeline.heads.base import State
from pipeline.heads.speech.clock import Clock
from pipeline.heads.speech.params import KeywordsParams, Outputs
from pipeline.manifest import Manifest

KIND: Final = "keyword"
HOLD_S = 0.2  # a score that goes on rising is waited for no longer than this
NEVER = -1
MAX_KEPT = 1 << 16  # posteriors a stream

Found = tuple[Int64, Int64, Float32, Int64, Int64]  # row, keyword, score, first and last frame


def smoothed(posteriors: Float32, window: int) -> Float32:
    """Means [N, T - window + 1, K] over ``window`` frames of posteriors [N, T, K]."""
    frames = posteriors.shape[1] - window + 1
    total = posteriors[:, :frames].copy()
    for at in range(1, window):  # always in this order, so chunks of any length sum alike
        total += posteriors[:, at : at + frames]
    total /= np.float32(window)
    return total


class KeywordsHead:
    """Implements the head contract; an output of kind ``keyword`` when one was heard.

    A keyword is heard when its score reaches its threshold, and reported as soon as the score
    falls, or HOLD_S later if it does not: once, until it has been below the threshold again and
    ``refractory_s`` have passed since the report. Before its first frame a stream held no keyword.

    Columns: ``keyword``, ``score`` (its highest by then), ``start_s`` (where the window of the
    first score at the threshold begins) and ``end_s`` (the end of the frame with the highest
    score) in seconds since the stream began, ``start`` and ``end`` in µs since 1970.
    """

    def __init__(self, params: KeywordsParams, manifest: Manifest) -> None:
        self.params = params
        self._outputs = Outputs(manifest, params)
        self._clock = Clock(params.frame_s, params.delay_s)
        self._names = np.array(params.labels[1:], np.object_)
        self._thresholds = np.array(params.thresholds, np.float32)
        self._window = params.frames(params.smooth_s)
        self._hold = params.frames(HOLD_S)
        self._refractory = int(np.ceil(params.refractory_s / params.frame_s - 1e-9))
        keywords = len(self._names)
        if self._window * keywords > MAX_KEPT:
            raise BundleError(
                f"{manifest.name}: head.smooth_s {params.smooth_s:g} s are {self._window} frames "
                f"of {keywords} keywords, more than {MAX_KEPT:,} values of each stream; smooth "
                "over less"
            )
        self.dtype: np.dtype[Any] = np.dtype(
            [
                ("frames", "i8"),  # since the stream began
                ("time", "i8"),  # of the last row
                ("since", "i8", (keywords,)),  # the frame whose score reached the threshold
                ("best", "i8", (keywords,)),  # the frame of the highest score since
                ("again", "i8", (keywords,)),  # from this frame on it may be reported again
                ("recent", "f4", (self._window - 1, keywords)),  # posteriors
                ("peak", "f4", (keywords,)),
                ("done", "?", (keywords,)),  # above the threshold, but not to be reported
            ]
        )
        self.initial: npt.NDArray[Any] = np.zeros((), self.dtype)
        self.initial["since"] = NEVER

    def step(self, batch: Batch, y: Float32, state: State) -> tuple[list[Records], State]:
        """The keywords that were heard in these rows."""
        after = state.copy()
        log_probs, closed = self._outputs.read(y)
        posteriors = np.exp(log_probs[:, :, 1:])
        if closed is not None:
            posteriors[closed] = 0.0
        kept = np.concatenate([state["recent"], posteriors], axis=1)
        after["recent"] = kept[:, kept.shape[1] - self._window + 1 :]
        scores = smoothed(kept, self._window)
        after["frames"] += self._outputs.frames
        after["time"] = batch.time
        above = scores >= self._thresholds
        # Mostly nothing is near its threshold, and nothing was.
        touched = above.any(axis=(1, 2)) | (state["since"] != NEVER).any(axis=1)
        touched |= state["done"].any(axis=1)
        if not touched.any():
            return [], after
        rows = np.flatnonzero(touched)
        found = self._follow(rows, scores[rows], above[rows], state["frames"][rows], after)
        return self._records(batch, after, found), after

    def end(self, batch: Batch, state: State) -> list[Records]:
        """The keywords that were heard and not reported yet."""
        rows, words = np.nonzero(state["since"] != NEVER)
        found = _found(rows, rows, words, state["peak"], state["since"], state["best"])
        return self._records(batch, state, [found])

    def _follow(
        self, rows: Int64, scores: Float32, above: Bool, frames: Int64, state: State
    ) -> list[Found]:
        """What is reported of ``rows``, frame by frame; writes how they stand into ``state``."""
        since, best, again = (state[name][rows] for name in ("since", "best", "again"))
        peak, done = state["peak"][rows], state["done"][rows]
        found = []
        for at in range(scores.shape[1]):
            frame = (frames + at)[:, None]
            score, over = scores[:, at], above[:, at]
            begins = over & (since == NEVER) & ~done
            early = begins & (frame < again)  # within the refractory time: it must fall first
            done = (done & over) | early
            begins &= ~early
            since = np.where(begins, frame, since)
            rises = (since != NEVER) & (begins | (score > peak))
            peak = np.where(rises, score, peak)
            best = np.where(rises, frame, best)
            heard = (since != NEVER) & (~rises | (frame - since >= self._hold))
            if heard.any():
                places, words = np.nonzero(heard)
                found.append(_found(rows[places], places, words, peak, since, best))
                since = np.where(heard, NEVER, since)
                again = np.where(heard, frame + 1 + self._refractory, again)
                done |= heard & over
        state["since"][rows], state["best"][rows], state["again"][rows] = since, best, again
        state["peak"][rows], state["done"][rows] = peak, done
        return found

    def _records(self, batch: Batch, state: State, found: list[Found]) -> list[Records]:
        if not any(len(some[0]) for some in found):
            return []
        rows, words, score, first, last = map(np.concatenate, zip(*found, strict=True))
        order = np.argsort(rows, kind="stable")
        rows, words, score = rows[order], words[order], score[order]
        start_s = self._clock.seconds(first[order] + 1 - self._window)
        end_s = self._clock.seconds(last[order] + 1)
        frames, time = state["frames"][rows], state["time"][rows]
        return [
            batch.records(
                KIND,
                rows,
                keyword=self._names[words],
                score=score,
                start_s=start_s,
                end_s=end_s,
                start=self._clock.since_1970(start_s, frames, time),
                end=self._clock.since_1970(end_s, frames, time),
            )
        ]


def _found(
    rows: Int64, places: Int64, words: Int64, peak: Float32, since: Int64, best: Int64
) -> Found:
    at = places, words
    return rows, words, peak[at], since[at], best[at]
