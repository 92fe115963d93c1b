"""What the compose file trains on and plays."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
from typer.testing import CliRunner

from deploy.demo.streams import Streams
from deploy.sample.__main__ import app
from deploy.sample.machines import report


class ListFeed:
    """Keeps what it is sent; after ``readings`` flushes nothing more is wanted."""

    def __init__(self, stop: threading.Event, rows: int) -> None:
        self.sent: dict[int, list[tuple[bytes | None, bytes | None]]] = {0: [], 1: []}
        self._stop, self._rows = stop, rows
        self.flushed = 0

    def send(
        self, partition: int, keys: Sequence[bytes | None], values: Sequence[bytes | None]
    ) -> None:
        self.sent[partition] += zip(keys, values, strict=True)
        if sum(len(rows) for rows in self.sent.values()) >= self._rows:
            self._stop.set()

    def flush(self) -> None:
        self.flushed = sum(len(rows) for rows in self.sent.values())

    def close(self) -> None:
        pass


def test_machines_report_over_and_over_with_times_of_now() -> None:
    """Three machines of two rows report five times: the rows repeat, the times go on."""
    values = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    streams = Streams("temperature", (b"a", b"b", b"c"), np.array([0, 1]), values)
    stop = threading.Event()
    feed = ListFeed(stop, 15)
    clock = iter(range(100, 200))
    readings = report(
        streams, feed, stop, partitions=2, every_s=0.0, clock=lambda: float(next(clock))
    )
    assert readings == 5
    assert feed.flushed == 15
    assert [key for key, _ in feed.sent[0]] == [b"a", b"c"] * 5
    assert [key for key, _ in feed.sent[1]] == [b"b"] * 5
    rows = [orjson.loads(value or b"") for _, value in feed.sent[1]]
    assert [row["temperature"] for row in rows] == [2, 5, 2, 5, 2]
    assert [row["time"] for row in rows][:2] == [
        "1970-01-01T00:01:40+00:00",
        "1970-01-01T00:01:41+00:00",
    ]


def test_the_rows_to_train_on_are_the_machines_earlier_weeks(tmp_path: Path) -> None:
    """As a CSV file that `streamcell train` reads."""
    file = tmp_path / "machines.csv"
    done = CliRunner().invoke(app, ["rows", str(file)])
    assert done.exit_code == 0, done.output
    head, first, *rest = file.read_text().splitlines()
    assert head == "time,temperature"
    assert first == "2013-12-02T21:15:00.000000Z,73.967"
    assert len(rest) > 12_000
