"""The pipelines of this process, as the monitor sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry

from pipeline.monitor.health import Health
from pipeline.monitor.live import LiveView

State = Literal["starting", "running", "restarting", "failed", "ended"]


@dataclass(frozen=True, slots=True)
class Condition:
    """How a pipeline stands with the process that runs it.

    ``failure`` is the error of its last attempt, ``retry_s`` the seconds until the next one,
    ``restarts`` how often it was started again.
    """

    state: State = "running"
    failure: str = ""
    restarts: int = 0
    retry_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Member:
    """One pipeline at one moment: a restart brings another view and another registry."""

    name: str
    health: Callable[[], Health]
    registry: CollectorRegistry | None = None
    view: LiveView | None = None
    condition: Condition = Condition()


Members = Callable[[], Sequence[Member]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The health of all pipelines together: why the process is not alive, and not ready."""

    faults: tuple[str, ...]
    waiting: tuple[str, ...]
    beat_age_s: float

    @property
    def alive(self) -> bool:
        """Whether a restart of the process would be no help."""
        return not self.faults


def verdict(members: Sequence[Member]) -> Verdict:
    """What health checks are told.

    A loop that hangs can be ended by the process's end alone, so that one is enough for the
    process not to be alive. A pipeline that failed for good leaves it alive for the others, but
    not ready.
    """
    several = len(members) > 1
    faults: list[str] = []
    failed: list[str] = []
    waiting: list[str] = []
    ages = [0.0]
    for member in members:
        health = member.health()
        said = f"{member.name}: " if several else ""
        (failed if health.failure else faults).extend(said + fault for fault in health.faults())
        waiting.extend(said + reason for reason in health.waiting)
        ages.append(health.beat_age_s)
    if failed and len(failed) == len(members):
        faults, failed = [*faults, *failed], []
    return Verdict(tuple(faults), (*failed, *waiting), max(ages))
