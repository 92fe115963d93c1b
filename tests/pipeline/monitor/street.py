"""Made-up cameras that see people walk by, for the live page's tests.

The pictures and the boxes found in them are made up; the tracks are the real tracker's, with a
motion model that expects everyone to go on as before. ``python -m tests.pipeline.monitor.street``
serves the live page with them until interrupted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from pipeline.block import Batch, Float32, Records
from pipeline.detect.base import Detections, Picture
from pipeline.manifest import Feature, Manifest, Part
from pipeline.monitor.live import LiveView
from pipeline.monitor.pictures import Printer
from pipeline.monitor.sights import Sights
from pipeline.pool import NO_TIME
from pipeline.tracking.frames import Frame, Layout
from pipeline.tracking.lines import Line
from pipeline.tracking.step import advance
from pipeline.tracking.tracker import FEATURES, Tracker
from tests.pipeline.monitor.plant import batch_of

FRAME_S = 0.1
SIZE = (480, 270)
BODY = (30, 78)
SPEED = 60.0  # pixels a second
BEYOND = 60.0  # pixels outside of the picture, where people turn up
COLOURS = ((60, 190, 250), (80, 200, 90), (220, 130, 60), (200, 90, 200))
GATE = Line("gate", None, (0.5, 0.95), (0.5, 0.25))  # who goes from left to right goes in


class Steady:
    """A motion model in plain arithmetic: a box goes on as it did since the frame before."""

    name, device = "steady", "cpu"
    row_shape, state_width, warnings = (6,), 8, ()

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        """Estimate, prediction and deviations of boxes; the state is box and speed."""
        box, interval = x[:, :4], x[:, 5:]
        begins = state[:, 2:3] == 0
        speed = np.where(begins, 0, (box - state[:, :4]) / interval)
        speed[:, 2:] = 0
        presumed = state[:, :4] + state[:, 4:] * interval
        seen = x[:, 4:5] > 0
        now = np.where(seen, box, presumed)
        speed = np.where(seen, speed, state[:, 4:])
        y = np.concatenate([now, now + speed * interval, np.full_like(now, 8.0)], axis=1)
        return y.astype(np.float32), np.concatenate([now, speed], axis=1).astype(np.float32)

    def close(self) -> None:
        """Nothing to close."""


def manifest() -> Manifest:
    """What a bundle with ``Steady`` in it would say."""
    return Manifest(
        name="steady-walkers",
        task="tracking",
        features=tuple(Feature(name=name) for name in FEATURES),
        state=(Part(name="box", shape=(4,)), Part(name="speed", shape=(4,))),
        outputs=tuple(Part(name=name, shape=(4,)) for name in ("box", "next", "sd")),
        head={},
        fingerprint="f",
        created="2026-01-01T00:00:00Z",
    )


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody who walks past a camera again and again; ``start`` is a share of the way."""

    start: float
    foot: float  # pixels from the top
    rightwards: bool
    colour: tuple[int, int, int]

    def left(self, time_s: float) -> float:
        """Where the left edge is, in pixels."""
        way = SIZE[0] + 2 * BEYOND
        gone = (self.start * way + SPEED * time_s) % way
        return gone - BEYOND if self.rightwards else SIZE[0] + BEYOND - BODY[0] - gone


class Street:
    """``names`` are the cameras; each sees ``walkers`` people. Time begins at 0."""

    def __init__(
        self, names: tuple[str, ...] = ("front door", "yard"), walkers: int = 3, seed: int = 4
    ) -> None:
        random = np.random.default_rng(seed)
        self.names = names
        self.keys = [name.encode() for name in names]
        self.walkers = [
            [
                Walker(
                    float(random.uniform()),
                    120 + 140 * (at + 0.5) / walkers,
                    bool((at + camera) % 2),
                    COLOURS[at % len(COLOURS)],
                )
                for at in range(walkers)
            ]
            for camera in range(len(names))
        ]
        self._layout = Layout(most=32)
        self._tracker = Tracker(manifest(), self._layout, lines=(GATE,))
        shape = (len(names), self._tracker.max_tracks, 8)
        self._states = np.zeros(shape, np.float32)
        self._cameras = np.repeat(self._tracker.initial.reshape(1), len(names))
        self._last = np.full(len(names), NO_TIME, np.int64)
        self.frames = 0

    def step(self, time_s: float) -> tuple[Batch, list[Records]]:
        """The next frame of every camera, captured at ``time_s``, and what is tracked in it."""
        now_s = self.frames * FRAME_S
        rows = [
            self._layout.row(Frame(self.frames, SIZE, self._found(camera, now_s)))[0]
            for camera in range(len(self.names))
        ]
        batch = batch_of(
            self.keys, np.stack(rows), round(time_s * 1e6), self.frames * len(self.names)
        )
        scene = self._tracker.prepare(batch, self._last, self._cameras)
        y, bad = advance(Steady(), self._tracker, scene, self._states, 1024)
        assert not len(bad)
        self._last[:] = batch.time
        self.frames += 1
        return batch, self._tracker.finish(batch, scene, y, self._cameras)

    def picture(self, camera: int) -> Picture:
        """What a camera sees in its next frame: bodies of one colour before a pale wall."""
        width, height = SIZE
        shade = np.linspace(95, 150, height)[:, None, None] + 12 * camera
        picture = np.repeat(shade, width, 1).repeat(3, 2).astype(np.uint8)
        for x, walker in self._present(camera, self.frames * FRAME_S):
            top = round(walker.foot - BODY[1])
            left, right = max(0, round(x)), max(0, round(x + BODY[0]))
            picture[top : top + BODY[1], left:right] = walker.colour
        return picture

    def show(self, view: LiveView, time_s: float) -> None:
        """A frame of every camera, with its picture, to the view."""
        assert view.sights is not None
        for camera, name in enumerate(self.names):
            view.sights.picture(name, round(time_s * 1e6), self.picture(camera))
        view.observe(*self.step(time_s))

    def _present(self, camera: int, now_s: float) -> list[tuple[float, Walker]]:
        found = [(walker.left(now_s), walker) for walker in self.walkers[camera]]
        return [(x, one) for x, one in found if -BODY[0] / 2 < x < SIZE[0] - BODY[0] / 2]

    def _found(self, camera: int, now_s: float) -> Detections:
        present = self._present(camera, now_s)
        boxes = np.array(
            [(x, one.foot - BODY[1], *BODY) for x, one in present], np.float32
        ).reshape(-1, 4)
        n = len(boxes)
        return Detections(boxes, np.full(n, 0.9, np.float32), np.zeros((n, 0), np.float32))


def view_of(printer: Printer | None, budget: float = 1e9, cameras: int = 2) -> LiveView:
    """A view that knows it shows cameras."""
    view = LiveView(
        "street <7>",
        manifest().features,
        budget=budget,
        sights=Sights((GATE,), printer=printer),
    )
    view.status(
        {
            "state": "running",
            "model": "steady-walkers",
            "task": "tracking",
            "engine": "onnxruntime 1.31.1",
            "device": "cpu",
            "guarantee": "at_least_once",
            "lag": 0,
            "recovery": 1.0,
            "live_streams": cameras,
            "spilled_streams": 0,
        }
    )
    return view


def main() -> None:
    """Serve the page."""
    from pipeline.metrics import Metrics
    from pipeline.monitor.health import Vitals
    from pipeline.video.jpeg import JpegPrinter
    from tests.pipeline.monitor.serving import monitor_of

    view, street = view_of(JpegPrinter(), 0.01), Street()
    registry = Metrics("street").registry
    token = "a token for the show"  # noqa: S105  # of a made-up street
    monitor = monitor_of(port=9467, token=token, registry=registry, health=Vitals(3600), view=view)
    monitor.start()
    try:
        while True:
            street.show(view, time.time())
            time.sleep(FRAME_S)
    except KeyboardInterrupt:
        monitor.stop()


if __name__ == "__main__":
    main()
