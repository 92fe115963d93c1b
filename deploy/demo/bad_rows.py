"""Records that are wrong on purpose: each must end among the dead letters and harm no stream."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from deploy.demo.streams import Streams

LATE_BY = 12  # rows


@dataclass(frozen=True, slots=True)
class BadRow:
    """A record to send after row ``row`` of stream number ``stream``.

    ``cause`` is what its dead letter should say. ``value`` None repeats the stream's record of
    ``LATE_BY`` rows ago, or with cause ``duplicate`` its last one.
    """

    row: int
    stream: int
    value: bytes | None
    cause: str


def plan_bad_rows(
    streams: Streams, each: int, seed: int, *, may_lack: bool = False
) -> dict[int, list[BadRow]]:
    """``each`` records of every kind, by the row they follow, spread over streams and rows.

    Where rows ``may_lack`` their value, one without is not wrong, and not among them.
    """
    rng = np.random.default_rng((seed, 1))
    name = streams.feature.encode()
    plan: dict[int, list[BadRow]] = defaultdict(list)
    for _ in range(each):
        for cause, value in (
            ("malformed", b'{"time":"%b","' + name + b'":71.'),  # cut off in transit
            ("malformed", b'{"time":"%b","' + name + b'":NaN}'),  # as some languages write it
            ("missing_feature", b'{"time":"%b"}'),
            ("extra_field", b'{"time":"%b","' + name + b'":71.5,"humidity":40}'),
            ("wrong_type", b'{"time":"%b","' + name + b'":"71.5"}'),
            ("not_finite", b'{"time":"%b","' + name + b'":1e300}'),
            ("bad_time", b'{"time":"yesterday","' + name + b'":71.5}'),
            ("late", None),
            ("duplicate", None),
        ):
            if may_lack and cause == "missing_feature":
                continue
            row = int(rng.integers(LATE_BY, streams.rows))
            stream = int(rng.integers(len(streams)))
            if value is not None and b"%b" in value:
                value = value % time_text(streams, row)
            plan[row].append(BadRow(row, stream, value, cause))
    return plan


def time_text(streams: Streams, row: int) -> bytes:
    """The time of a row as the records carry it: ISO 8601 in UTC."""
    return str(streams.times[row].astype("datetime64[us]").astype("datetime64[s]")).encode() + b"Z"
