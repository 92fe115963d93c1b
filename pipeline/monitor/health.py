"""Is the pipeline alive, is it ready: what the loop tells and the health pages read."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

STALE_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class Health:
    """One look at the pipeline. ``beat_age_s`` is the time since the loop last turned.

    ``failure`` says why the loop stopped for good; ``waiting`` what has to happen before the
    pipeline is ready (recovery, a source that is down), empty when it is.
    """

    beat_age_s: float
    failure: str = ""
    waiting: tuple[str, ...] = ()
    stale_after_s: float = STALE_AFTER_S

    def faults(self) -> list[str]:
        """Why the pipeline is not alive; empty when it is."""
        if self.failure:
            return [self.failure]
        if self.beat_age_s > self.stale_after_s:
            return [f"the loop has not turned for {self.beat_age_s:.0f} s"]
        return []


class Vitals:
    """Kept by the loop, read by the monitor: ``Monitor(health=vitals)``.

    A turn of the loop calls ``beat``, and before it waits for somebody else ``beat(most_s)``, with
    how long that may take. What has to happen first is announced by
    ``wait("recovery", "12 % replayed")`` and taken back by ``done("recovery")``.
    ``stale_after_s`` must exceed the longest turn without such a wait: a poll and a step.
    """

    def __init__(
        self,
        stale_after_s: float = STALE_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._stale_after_s = stale_after_s
        self._beat: tuple[float, float] = (clock(), stale_after_s)  # when, and good for how long
        self._waiting: dict[str, str] = {}

    def beat(self, most_s: float | None = None) -> None:
        """The loop turned, and may now be silent for ``most_s`` seconds."""
        self._beat = (self._clock(), self._stale_after_s if most_s is None else most_s)

    def renew(self) -> None:
        """The loop still waits for what it waited for: what the last ``beat`` said holds anew."""
        self._beat = (self._clock(), self._beat[1])

    def wait(self, what: str, detail: str = "") -> None:
        """Not ready until ``done(what)``; a second call renews the detail."""
        self._waiting = {**self._waiting, what: detail}

    def done(self, what: str) -> None:
        """``what`` no longer keeps the pipeline from being ready; unknown names are fine."""
        self._waiting = {name: text for name, text in self._waiting.items() if name != what}

    def __call__(self) -> Health:
        """How things stand now; from any thread."""
        waiting = tuple(
            f"{name}: {detail}" if detail else name for name, detail in self._waiting.items()
        )
        beat_s, most_s = self._beat
        return Health(self._clock() - beat_s, waiting=waiting, stale_after_s=most_s)
