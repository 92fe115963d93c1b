"""One batch of frames through association, the motion model and the tracks' lives."""

from __future__ import annotations

import numpy as np

from pipeline.block import Batch, Float32, Records
from pipeline.dead_letters import DeadLetters
from pipeline.engines.base import Engine
from pipeline.finite import finite_rows
from pipeline.heads.base import State
from pipeline.metrics import Metrics
from pipeline.pool import SlotPool
from pipeline.tracking.scene import Scene
from pipeline.tracking.state import live
from pipeline.tracking.tracker import Tracker

LEAP = 1000  # more tracks than one camera begins between two snapshots
OVER = "tracks_over_limit"  # detections that began no track: the camera has as many as it may


class Frames:
    """Steps all tracks of all cameras of a batch at once; used from the loop's thread.

    A frame in which any track's result is not finite goes to ``dead_letters``, and its camera's
    state stays as it was. The engine is given at most ``max_rows`` tracks at a time. Where frames
    can't be replayed (not ``replayable``), a camera whose state comes from a snapshot may have
    given out more identities than that knows of: it goes on with the next ``LEAP``.
    """

    def __init__(
        self,
        engine: Engine,
        tracker: Tracker,
        pool: SlotPool,
        dead_letters: DeadLetters,
        metrics: Metrics,
        max_rows: int,
        *,
        replayable: bool = True,
    ) -> None:
        self._engine, self._tracker, self._pool = engine, tracker, pool
        self._dead_letters, self._metrics, self._max_rows = dead_letters, metrics, max_rows
        self._known: set[bytes] | None = None if replayable else set()

    def step(self, frames: Batch, tick: int) -> list[Records]:
        """Step the frames of cameras, each camera at most once."""
        pool, metrics = self._pool, self._metrics
        with metrics.stage("gather"):
            state, cameras = pool.gather(frames.slot), pool.head.take(frames.slot)
            if self._known is not None:
                self._leap(frames, cameras, self._known)
        with metrics.stage("associate"):
            scene = self._tracker.prepare(frames, pool.time[frames.slot], cameras)
        if scene.over:
            metrics.dropped(OVER, scene.over)
        with metrics.stage("step"):
            y, bad = self._advance(scene, state)
        metrics.stepped(len(scene))
        if len(bad):
            # Once more without them: a frame that counts for nothing moves its camera nowhere.
            keep = np.setdiff1d(np.arange(len(frames)), bad)
            reason = "the model's output is not finite"
            self._dead_letters.add_rows(frames.rows(bad), "not_finite", reason)
            return self.step(frames.rows(keep), tick) if len(keep) else []
        with metrics.stage("head"):
            outputs = self._tracker.finish(frames, scene, y, cameras)
        with metrics.stage("scatter"):
            pool.scatter(frames.slot, state, cameras, frames.offset, frames.time, tick)
        return outputs

    def _leap(self, frames: Batch, cameras: State, known: set[bytes]) -> None:
        """Cameras met for the first time go on with identities that nobody was given before."""
        new = [row for row, key in enumerate(frames.key.tolist()) if key not in known]
        if new:
            known.update(frames.key[new].tolist())
            last = cameras["last_id"][new]
            cameras["last_id"][new] = np.where(last > 0, (last // LEAP + 1) * LEAP, 0)

    def live(self) -> int:
        """The confirmed tracks of all resident cameras."""
        pool = self._pool
        return live(pool.head, pool.residents())

    def _advance(self, scene: Scene, state: Float32) -> tuple[Float32, np.typing.NDArray[np.int64]]:
        """The model's answers [n, K], its states in ``state`` [N, W], and the frames it failed."""
        states = state.reshape(len(state), self._tracker.max_tracks, -1)
        return advance(self._engine, self._tracker, scene, states, self._max_rows)


def advance(
    engine: Engine, tracker: Tracker, scene: Scene, states: Float32, max_rows: int
) -> tuple[Float32, np.typing.NDArray[np.int64]]:
    """Step the tracks of ``scene``: answers [n, K], and frames with results that are not finite.

    ``states`` [N, T, D] are those of the cameras' places; they move on, in place.
    """
    before = states[scene.row, scene.place]
    before[scene.fresh] = tracker.fresh
    answers, after = [], []
    for first in range(0, len(scene), max_rows):
        piece = slice(first, first + max_rows)
        y, moved = engine.step(scene.x[piece], before[piece])
        answers.append(y)
        after.append(moved)
    if not answers:
        return np.empty((0, tracker.outputs), np.float32), np.empty(0, np.int64)
    y, moved = np.concatenate(answers), np.concatenate(after)
    finite = finite_rows(y, moved)
    if finite is not None:
        return y, np.unique(scene.row[~finite])
    states[scene.row, scene.place] = moved
    return y, np.empty(0, np.int64)
