"""Records from a microphone's source, and tells how far it is: a process of the tests.

``python -m tests.pipeline.sources.recorder_process OUT OPTIONS``: OPTIONS is JSON, with the
source's settings and ``model_rate``. Writes a state as a JSON line after every poll; reads the
words ``end`` and ``stall``. At the end it writes all rows to OUT.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.block import Block
from pipeline.logs import configure_logs
from pipeline.manifest import Audio
from pipeline.monitor.health import Vitals
from pipeline.sources.base import LogRange, Positions
from pipeline.sources.capture import CaptureSource
from pipeline.sources.microphone import opener

STALL_S = 1.0


class Told:
    """Losses and health, as the source tells them; and who assigns it its partition."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self.vitals = Vitals()

    def drop(self, cause: str, rows: int) -> None:
        """Count."""
        self.dropped[cause] += rows

    def assigned(self, ranges: Mapping[int, LogRange]) -> Positions:
        return {partition: log.start for partition, log in ranges.items()}

    def revoked(self, partitions: Sequence[int]) -> None:
        raise AssertionError(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        raise AssertionError(partitions)


def main(out: Path, options: dict[str, Any]) -> None:
    """Record until told to end."""
    told = Told()
    audio = Audio(sample_rate_hz=options.get("model_rate", 16_000), chunk=options.get("chunk", 320))
    channels = options.get("channels", 1)
    source = CaptureSource(
        opener(options.get("device", "default"), channels, options.get("sample_rate_hz", 16_000)),
        audio,
        topic="mic",
        name=options.get("name"),
        channels=channels,
        buffer_s=options.get("buffer_s", 10.0),
        flush_s=options.get("flush_s", 0.1),
        dropped=told.drop,
        vitals=told.vitals,
    )
    configure_logs("info", "json")
    source.open(told)
    stall = threading.Event()
    threading.Thread(target=listen, args=(source, stall), daemon=True).start()
    blocks: list[Block] = []
    rows = ends = 0
    while not source.finished():
        if stall.is_set():
            time.sleep(STALL_S)
            stall.clear()
        polled = source.poll(0.1)
        blocks += polled.blocks
        rows += sum(map(len, polled.blocks))
        ends += sum(int(block.end.sum()) for block in polled.blocks)
        state = {"rows": rows, "ends": ends, "dropped": told.dropped}
        sys.stdout.write(json.dumps({**state, "waits": told.vitals().waiting}) + "\n")
        sys.stdout.flush()
    source.close()
    keys = [block.table.keys[at].decode() for block in blocks for at in block.stream]
    np.savez(
        out,
        keys=np.array(keys),
        values=np.concatenate([block.values for block in blocks]),
        times=np.concatenate([block.times for block in blocks]),
        offset=np.concatenate([block.offset for block in blocks]),
        index=np.concatenate([block.index for block in blocks]),
        end=np.concatenate([block.end for block in blocks]),
        dropped=np.array(json.dumps(told.dropped)),
    )


def listen(source: CaptureSource, stall: threading.Event) -> None:
    """Do what the test says."""
    for line in sys.stdin:
        if line.strip() == "stall":
            stall.set()
        else:
            source.end()
            return
    os._exit(1)  # the test is gone


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
