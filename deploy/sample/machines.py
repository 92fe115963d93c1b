"""Machines that report: the sample's real one and copies of it, over and over, timed now."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from deploy.demo.edges import Feed
from deploy.demo.streams import Streams

FLUSH_EVERY = 10  # readings; a broker that is gone is noticed at the latest then


def report(
    streams: Streams,
    feed: Feed,
    stop: threading.Event,
    *,
    partitions: int,
    every_s: float,
    clock: Callable[[], float] = time.time,
) -> int:
    """One reading of every machine each ``every_s`` until ``stop``; returns how many readings.

    The rows are the streams' own, from the first again after the last; their times are the
    clock's, so that rows are never late, however often this is started.
    """
    keys = [list(streams.keys[partition::partitions]) for partition in range(partitions)]
    began, reading = time.monotonic(), 0
    while not stop.is_set():
        stamp = datetime.fromtimestamp(clock(), UTC).isoformat()
        values = streams.values[reading % streams.rows].tolist()
        rows = [
            f'{{"time":"{stamp}","{streams.feature}":{value:.3f}}}'.encode() for value in values
        ]
        for partition, named in enumerate(keys):
            if named:
                feed.send(partition, named, rows[partition::partitions])
        reading += 1
        if reading % FLUSH_EVERY == 0:
            feed.flush()
        stop.wait(max(0.0, began + reading * every_s - time.monotonic()))
    feed.flush()
    return reading
