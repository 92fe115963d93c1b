"""What the demo itself does at a pipeline's two ends: feed rows in, and hear what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from deploy.demo.scene import Scene
from pipeline.block import Int64

PARTITIONS = 4
CHUNK = 1000  # records a poll
FLUSH_S = 60.0


@dataclass(frozen=True, slots=True)
class Heard:
    """``outputs`` are JSON objects; ``dead`` are partition, number, cause."""

    outputs: Sequence[bytes] = ()
    dead: Sequence[tuple[int, int, str]] = field(default=())


class Feed(Protocol):
    """Sends rows, in order within a partition and each exactly once. Used from one thread."""

    def send(
        self, partition: int, keys: Sequence[bytes | None], values: Sequence[bytes | None]
    ) -> None:
        """Queue records of one partition, None ends a stream; waits while the queue is full."""
        ...

    def flush(self) -> None:
        """Return when all records have arrived; raises SinkError if they don't."""
        ...

    def close(self) -> None:
        """Leave; twice is fine."""
        ...


class Tail(Protocol):
    """Reads everything that the pipeline puts out, from the first on, committed outputs only."""

    def poll(self, timeout_s: float) -> Heard:
        """What has come; waits at most ``timeout_s`` for the first."""
        ...

    def numbers(self, offsets: Int64) -> Int64:
        """Running numbers, from 0, of a partition's records at ``offsets`` [N]; -1 for none."""
        ...

    def at_end(self) -> bool:
        """Whether the last poll found nothing more to read for now."""
        ...

    def close(self) -> None:
        """Leave; twice is fine."""
        ...


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of one run's topics; ``alarms`` is None where there are no events."""

    rows: str
    results: str
    alarms: str | None
    dead: str

    @classmethod
    def named(cls, scene: Scene, suffix: str = "") -> Topics:
        """A demo's topics; ``suffix`` keeps the runs on one broker apart."""
        rows, results, alarms, dead = (
            f"{scene.thing}-{name}{suffix}"
            for name in ("rows", scene.outputs, "alarms", "rows.dead")
        )
        return cls(rows, results, alarms if scene.alarms else None, dead)

    def outputs(self) -> tuple[str, ...]:
        """The topics that the pipeline writes."""
        return tuple(name for name in (self.results, self.alarms, self.dead) if name is not None)


def dead_letter_of(headers: dict[str, Any]) -> tuple[int, int, str]:
    """Partition, offset and cause that a dead letter's headers tell."""
    return int(headers["partition"]), int(headers["offset"]), headers["cause"].decode()


class Client(Protocol):
    """One client library; ``streams`` and ``rate`` (rows a second) are what it carries."""

    streams: int
    rate: float

    def create_topic(self, brokers: str, topic: str) -> None:
        """Make ``topic`` with PARTITIONS partitions; raises SinkError where it can't be made."""
        ...

    def end_transactions(self, brokers: str, transactional_id: str) -> None:
        """End what a dead producer left open; raises SinkError."""
        ...

    def feed(self, brokers: str, topic: str) -> Feed:
        """A producer for ``topic``."""
        ...

    def tail(self, brokers: str, topics: Topics) -> Tail:
        """A consumer of the outputs."""
        ...

    def example(self, brokers: str, topic: str, key: str, value: str) -> str:
        """Python that sends ``value``, an expression, to stream ``key``; no double quotes in it."""
        ...
