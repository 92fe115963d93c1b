"""Records of several rows, for tests: the value is a JSON list of ``[key, time_s, a, b]``.

``a`` of None ends the stream of the key, ``b`` of None makes a row of one value.
Anything else that is no such list is rejected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from pipeline.block import Block, KeyTable, Polled
from pipeline.decode.base import RawRecords
from pipeline.loop import Loop
from pipeline.sources.memory import ListSource
from tests.pipeline.harness import Rig


class ManyRows:
    """Decodes such records into one block a poll."""

    def decode(self, records: RawRecords) -> Polled:
        rejects, rows = [], []
        for at, value in enumerate(records.values):
            if value is None or not value.startswith(b"["):
                rejects.append(records.reject(at, "malformed", "not a list"))
                continue
            rows += [(at, index, *one) for index, one in enumerate(orjson.loads(value))]
        if not rows:
            return Polled([], rejects)
        record, index, key, time_s, a, b = zip(*rows, strict=True)
        table = KeyTable([name.encode() for name in dict.fromkeys(key)])
        places = {name: place for place, name in enumerate(dict.fromkeys(key))}
        end = np.array([value is None for value in a])
        block = Block(
            records.partition,
            table,
            np.array([places[name] for name in key], np.int32),
            np.array(
                [[x or 0, np.nan if y is None else y] for x, y in zip(a, b, strict=True)],
                np.float32,
            ),
            np.array(time_s, np.int64) * 1_000_000,
            np.array([records.offsets[one] for one in record], np.int64),
            np.array(index, np.int32),
            np.array([records.stamped[one] for one in record], np.int64),
            end,
        )
        return Polled([block], rejects)


@dataclass
class RecordRig(Rig):
    """A rig that reads such records."""

    decoder: Callable[[], ManyRows] = ManyRows

    def loop(self) -> Loop:
        loop = super().loop()
        assert isinstance(loop._source, ListSource)
        loop._source._decoder = self.decoder()
        return loop


def record(*rows: tuple[Any, ...]) -> bytes:
    """One record of ``(key, time_s, a, b)``."""
    return orjson.dumps(rows)
