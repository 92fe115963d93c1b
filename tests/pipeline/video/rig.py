"""A source of cameras whose detector finds nothing, and everything that it delivers and tells."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline.block import Block
from pipeline.detect.base import Detections, Picture, no_detections
from pipeline.monitor.health import Vitals
from pipeline.sources.cameras import CamerasSource
from pipeline.tracking.frames import Layout
from pipeline.video.address import address_of
from pipeline.video.camera import CameraSpec, Watch
from pipeline.video.shot import Shot
from tests.pipeline.sources.rigs import Desk

WAIT_S = 20.0


class Blind:
    """Finds ``found`` in every picture, nothing unless told; ``calls`` are the cameras of each."""

    name, device, appearance = "blind", "cpu", 0

    def __init__(self, found: Detections | None = None) -> None:
        self.found = no_detections() if found is None else found
        self.calls: list[list[str]] = []
        self.closed = 0

    def detect(self, pictures: Sequence[Picture], cameras: Sequence[str]) -> list[Detections]:
        self.calls.append(list(cameras))
        return [self.found for _ in pictures]

    def close(self) -> None:
        self.closed += 1


class Rig(AbstractContextManager["Rig"]):
    """The source of ``addresses`` (name → address), ``opened``; closed with the ``with``."""

    def __init__(
        self,
        addresses: Mapping[str, str | Path],
        *,
        keep: bool = False,
        detector: Any = None,
        starts: Mapping[int, int] | None = None,
        opened: bool = True,
        **watch: float,
    ) -> None:
        self.shots: list[Shot] = []
        self.blocks: list[Block] = []
        self.dropped: Counter[str] = Counter()
        self.health: list[tuple[str, bool]] = []
        self.vitals, self.detector = Vitals(), detector or Blind()
        self.stages: Counter[str] = Counter()
        self.source = CamerasSource(
            [CameraSpec(name, address_of(str(url), Path("/"))) for name, url in addresses.items()],
            self.detector,
            Layout(4),
            topic="cameras",
            watch=Watch(
                max_fps=watch.get("max_fps", 0),
                stall_s=watch.get("stall_s", 5),
                frozen_s=watch.get("frozen_s", 0),
                realtime=not keep,
            ),
            keep=keep,
            dropped=self._drop,
            health=lambda camera, up: self.health.append((camera, up)),
            vitals=self.vitals,
            stage=self._stage,
            witness=lambda shots, _: self.shots.extend(shots),
            max_gap_s=watch.get("max_gap_s", 5),
        )
        if opened:
            self.source.open(Desk(starts))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.source.close()

    def poll(self, timeout_s: float = 0.05) -> None:
        """One poll; what comes is kept."""
        self.blocks += self.source.poll(timeout_s).blocks

    def until(self, done: Callable[[], bool], what: str) -> Rig:
        """Poll until a condition is true."""
        deadline = time.monotonic() + WAIT_S
        while not done():
            assert time.monotonic() < deadline, f"waited {WAIT_S:g} s in vain: {what}"
            self.poll()
        return self

    def more(self, camera: str, count: int = 5) -> Rig:
        """Poll until so many more frames of a camera came."""
        wanted = self.count(camera) + count
        return self.until(lambda: self.count(camera) >= wanted, f"{count} frames of {camera}")

    def to_end(self) -> Rig:
        """Poll until all files have ended."""
        return self.until(self.source.finished, "all files end")

    def count(self, camera: str) -> int:
        """The frames of a camera that were used."""
        return len(self.of(camera))

    def of(self, camera: str) -> list[Shot]:
        """A camera's shots."""
        return [shot for shot in self.shots if shot.camera == camera]

    def up(self, camera: str) -> bool:
        """What was told of a camera's health last."""
        return next((up for name, up in reversed(self.health) if name == camera), False)

    def _drop(self, cause: str, rows: int) -> None:
        self.dropped[cause] += rows

    def _stage(self, name: str) -> AbstractContextManager[None]:
        self.stages[name] += 1
        return nullcontext()
