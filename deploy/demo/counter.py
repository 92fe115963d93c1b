"""Counts what came of every record that was sent: answered once, lost, doubled, or dead-lettered.

The demo is the only producer of its input, so that the records of a partition number 0, 1, 2, …
in the order of sending: what was sent when is known without asking the broker. An output's id
names the record that caused it, so both counts come from the outputs themselves.
"""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.block import Bool, Int64


@dataclass(frozen=True, slots=True)
class Counts:
    """The state of things; ``lost`` and ``missing_dead_letters`` are final only at the end.

    ``planted`` bad records should be ``dead_letters`` with the cause that was expected.
    ``unexpected_dead_letters`` are good rows among them, causes nobody expected, and records with
    both a dead letter and an output. ``stray``
    outputs name records that were never sent. Latencies are from produce to output seen, in ms;
    None while there is none.
    """

    rows_sent: int
    rows_answered: int
    lost: int
    doubled: int
    stray: int
    planted: int
    dead_letters: int
    missing_dead_letters: int
    unexpected_dead_letters: int
    dead_letter_causes: dict[str, int]
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    latency_max_ms: float | None

    @property
    def good(self) -> bool:
        """Whether every row was answered once and every bad record, and no other, was dead."""
        return not (
            self.lost
            or self.doubled
            or self.stray
            or self.missing_dead_letters
            or self.unexpected_dead_letters
        )

    @property
    def settled(self) -> bool:
        """Whether nothing is awaited any more."""
        return not (self.lost or self.missing_dead_letters)

    def numbers(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self)


class Counter:
    """Fed by the player and by whoever reads the outputs, each in a thread of its own.

    ``capacity`` is the most records a partition will get.
    """

    def __init__(self, partitions: int, capacity: int) -> None:
        shape = (partitions, capacity)
        self._next = [0] * partitions
        self._sent_s = np.zeros(shape)
        self._outputs = np.zeros(shape, np.uint8)
        self._latency_s = np.full(shape, np.nan, np.float32)
        self._planted: dict[tuple[int, int], str] = {}
        self._dead: dict[tuple[int, int], str] = {}
        self._dead_again = 0
        self._answered = 0
        self._stray = 0

    def sent(self, partition: int, count: int, now: float) -> None:
        """The next ``count`` records of the partition are good rows, sent from ``now`` on."""
        first = self._next[partition]
        self._sent_s[partition, first : first + count] = now
        self._next[partition] = first + count

    def planted(self, partition: int, now: float, cause: str) -> None:
        """The next record of the partition is a bad one and should be rejected for ``cause``."""
        self._planted[partition, self._next[partition]] = cause
        self.sent(partition, 1, now)

    def answered(self, partitions: Int64, numbers: Int64, now: float) -> None:
        """Outputs of these records have been seen."""
        p, n = partitions, numbers
        known = self._known(p, n)
        if not known.all():
            self._stray += int(np.count_nonzero(~known))
            p, n = p[known], n[known]
        first = self._outputs[p, n] == 0
        self._answered += len({*zip(p[first].tolist(), n[first].tolist(), strict=True)})
        self._latency_s[p[first], n[first]] = now - self._sent_s[p[first], n[first]]
        np.add.at(self._outputs, (p, n), 1)

    def dead_letter(self, partition: int, number: int, cause: str) -> None:
        """A dead letter of this record has been seen."""
        if not self._known(np.array([partition]), np.array([number]))[0]:
            self._stray += 1
            return
        if (partition, number) in self._dead:
            self._dead_again += 1
        self._dead[partition, number] = cause

    @property
    def answered_rows(self) -> int:
        """Records that at least one output has come of."""
        return self._answered

    @property
    def outstanding(self) -> int:
        """Records sent that nothing has come of yet; cheap, for pacing."""
        return sum(self._next) - self._answered - len(self._dead)

    def counts(self) -> Counts:
        """Everything counted so far."""
        sent = self._next.copy()
        planted = dict(self._planted)
        dead = dict(self._dead)
        rows = sum(sent) - len(planted)
        outputs = np.concatenate([self._outputs[p, :n] for p, n in enumerate(sent)])
        silent = int(np.count_nonzero(outputs == 0))
        # Places where there should be a dead letter, or is one.
        marked = planted.keys() | dead.keys()
        answered = {at for at in marked if self._outputs[at]}
        wrong = {at for at, cause in dead.items() if planted.get(at) != cause}
        latency = np.concatenate([self._latency_s[p, :n] for p, n in enumerate(sent)])
        latency = 1e3 * latency[np.isfinite(latency)]
        p50, p99, most = (
            (float(x) for x in np.percentile(latency, [50, 99, 100]))
            if len(latency)
            else [None] * 3
        )
        repeated = int(outputs.sum(dtype=np.int64)) - int(np.count_nonzero(outputs))
        return Counts(
            rows_sent=rows,
            rows_answered=self._answered,
            lost=silent - len(marked - answered),
            doubled=repeated + self._dead_again,
            stray=self._stray,
            planted=len(planted),
            dead_letters=len(dead),
            missing_dead_letters=len(planted.keys() - dead.keys()),
            unexpected_dead_letters=len(wrong | answered),
            dead_letter_causes=dict(sorted(Tally(dead.values()).items())),
            latency_p50_ms=p50,
            latency_p99_ms=p99,
            latency_max_ms=most,
        )

    def _known(self, partitions: Int64, numbers: Int64) -> Bool:
        """Whether these records have been sent at all."""
        inside = (partitions >= 0) & (partitions < len(self._next)) & (numbers >= 0)
        ends = np.array(self._next, np.int64)[np.where(inside, partitions, 0)]
        return np.asarray(inside & (numbers < ends), np.bool_)
