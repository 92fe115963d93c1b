"""The live part: tell of events, pull a camera's plug, and wait until nothing is awaited."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.markup import escape

from deploy.demo.player import LOOK_EVERY_S
from deploy.demo.runner import Runner
from deploy.demo.show import Bar, Show
from deploy.demo.tracking.camera import Camera
from deploy.demo.tracking.edges import TrackingEdges
from deploy.demo.tracking.listener import TrackListener
from deploy.demo.tracking.metrics import Told, read_metrics
from pipeline.errors import SourceError

READ_ON_S = 30.0
QUIET_S = 1.0  # without any output after the cameras are off, this is the end
SETTLED_S = 0.5  # the same after a crash
TOLD_EACH_S = 0.7  # one event in so many seconds is printed
OFF_FROM, OFF_UNTIL = 0.3, 0.42  # of the time: when one camera is off
CRASH_AT = 0.6
AFTER_CRASH_S = 5.0  # that are watched at least


class Session:
    """``seconds`` of ``cameras``, which are on, through a pipeline that is ready."""

    def __init__(
        self,
        edges: TrackingEdges,
        cameras: Sequence[Camera],
        runner: Runner,
        show: Show,
        seconds: float,
    ) -> None:
        self._cameras, self._runner, self._show = cameras, runner, show
        self._seconds = seconds
        self.listener = TrackListener(edges.tail())
        self.told: Told | None = None
        self.off_s: tuple[float, float] | None = None  # how long it was off, and then not seen
        self._told_at = 0.0
        self._went_off: float | None = None
        self._came_on: float | None = None
        self._before_on = 0
        self._crash_due = False
        self._crashed: float | None = None
        self._crash_s: float | None = None
        self._back: float | None = None  # when it was ready again
        self._lost_from: Counter[str] = Counter()

    def run(self, *, crash: bool) -> float | None:
        """Watch; with ``crash`` the pipeline is killed and started again on the way.

        At the end the cameras are off, and the pipeline's own counts are in ``told``. Returns the
        seconds from the kill until tracks came again. Raises StreamcellError.
        """
        self._crash_due = crash
        self.listener.start()
        began = time.perf_counter()
        with self._show.bar("watching", round(self._seconds)) as bar:
            while (passed := time.perf_counter() - began) < self._seconds or not self._settled():
                time.sleep(LOOK_EVERY_S)
                self._look(passed / self._seconds)
                self._note(bar, passed)
            for camera in self._cameras:
                camera.off()
            quiet_from = time.perf_counter()
            while time.perf_counter() - quiet_from < QUIET_S:
                time.sleep(LOOK_EVERY_S)
                self._raise_failure()
                quiet_from = max(quiet_from, self.listener.last_heard)
        self.told = read_metrics(self._runner.url)
        return self._crash_s

    def finish(self) -> None:
        """Read everything that came out to its end; raises SourceError where that fails."""
        if not self.listener.finish(READ_ON_S):
            raise SourceError(
                f"the tracks could not be read to their end within {READ_ON_S:g} s; see the "
                "broker's log"
            )
        self._raise_failure()

    def close(self) -> None:
        """Stop listening; twice is fine."""
        self.listener.leave()

    @property
    def lost(self) -> int:
        """Outputs that the pipeline counted, since it began, and that never came."""
        if self.told is None:
            return 0
        came = {kind: self._came(kind) for kind in self.told.outputs}
        return sum(max(0, sent - came[kind]) for kind, sent in self.told.outputs.items())

    def _came(self, kind: str) -> int:
        return self.listener.kinds[kind] - self._lost_from[kind]

    def _settled(self) -> bool:
        """Whether a crash, if there was one, is some time ago."""
        if self._crash_due or self._crashed is not None:
            return False
        return self._back is None or time.perf_counter() - self._back > AFTER_CRASH_S

    def _look(self, share: float) -> None:
        self._raise_failure()
        if self._crashed is not None:
            self._await_return()
        elif self._crash_due and share > CRASH_AT:
            self._crash()
        else:
            self._runner.check()
        self._switch(share)
        self._tell()

    def _switch(self, share: float) -> None:
        """Pull a camera's plug, put it back, and see its tracks come again."""
        camera = self._cameras[1 % len(self._cameras)]
        name = camera.reel.place.name
        now = time.perf_counter()
        if self._went_off is None and share >= OFF_FROM:
            self._went_off = now
            camera.off()
            self._show.say(f"[bold red]✗ camera {name} is off[/]; the others run on")
        elif self._went_off is not None and self._came_on is None and share >= OFF_UNTIL:
            self._came_on = now
            self._before_on = len(self.listener.times_us[name])
            camera.on()
            self._show.say(f"[bold]camera {name} is on again[/]")
        elif (
            self._went_off is not None
            and self._came_on is not None
            and self.off_s is None
            and len(self.listener.times_us[name]) > self._before_on
        ):
            self.off_s = self._came_on - self._went_off, now - self._came_on
            self._show.say(
                f"[bold green]✓ tracks of {name} again[/] {self.off_s[1]:.1f} s after that"
            )

    def _crash(self) -> None:
        self._crash_due = False
        self._show.say("[bold red]✗ killing the pipeline (SIGKILL)[/], and starting it again")
        self._crashed = time.perf_counter()
        self._runner.crash()
        # What it had sent is on its way still; what it sends from here on is another's.
        while time.perf_counter() - max(self._crashed, self.listener.last_heard) < SETTLED_S:
            time.sleep(LOOK_EVERY_S)
            self._raise_failure()
        self._lost_from = Counter(self.listener.kinds)
        self._runner.start()

    def _await_return(self) -> None:
        """Over when it is ready and tracks come again."""
        if self._crashed is None or not self._runner.ready():
            return
        self._back = time.perf_counter()
        self._crash_s = self._back - self._crashed
        self._crashed = None
        self._show.say(f"[bold green]✓ tracking again[/] {self._crash_s:.1f} s after it")

    def _tell(self) -> None:
        """Print an event now and then, crossings first."""
        now = time.perf_counter()
        if now - self._told_at < TOLD_EACH_S or not self.listener.fresh:
            return
        events = [self.listener.fresh.popleft() for _ in range(len(self.listener.fresh))]
        self._told_at = now
        self._show.say(_line(max(events, key=lambda one: one["type"] == "cross")))

    def _note(self, bar: Bar, passed: float) -> None:
        kinds = self.listener.kinds
        bar.to(
            min(round(passed), round(self._seconds)),
            f"{kinds['track']:,} tracks in frames, {kinds['cross']} crossings",
        )

    def _raise_failure(self) -> None:
        if self.listener.failure is not None:
            raise self.listener.failure


def _line(event: dict[str, Any]) -> str:
    """One event for a person."""
    head = f"[dim]{event['time'][11:21]}[/]  {escape(event['stream']):10s} #{event['track']:<4d}"
    if event["type"] == "cross":
        arrow = "→" if event["direction"] == "in" else "←"
        return f"{head} [bold green]crosses {escape(event['line'])} {arrow} {event['direction']}[/]"
    return f"{head} {event['type']}s"
