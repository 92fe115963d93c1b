"""Records whose value is one row as raw little-endian float32; the key names the stream."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from pipeline.block import Polled, Reject
from pipeline.decode.base import MAX_RECORD_BYTES, RawRecords
from pipeline.decode.screen import in_order, make_block, screen, usable


class Float32Rows:
    """Decodes rows of ``shape`` (features of the model), 4 bytes each, row-major.

    A row's time is its record's timestamp. A tombstone ends its stream. The features at
    ``missing`` may be NaN.
    """

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        missing: Sequence[int] = (),
        max_record_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        self._missing = list(missing)
        self.shape = (shape,) if isinstance(shape, int) else shape
        self.max_record_bytes = max_record_bytes

    def decode(self, records: RawRecords) -> Polled:
        """Blocks and rejects of the partition, each in offset order."""
        records, unusable = screen(records, self.max_record_bytes)
        records, wrong = self._right_width(records)
        if not len(records):
            return Polled([], in_order(unusable, wrong))
        blank = bytes(4 * prod(self.shape))
        joined = b"".join([blank if value is None else value for value in records.values])
        values = np.frombuffer(joined, "<f4").reshape(len(records), *self.shape)
        finite = usable(values, self._missing)
        block = make_block(
            records,
            [key or b"" for key in records.keys],
            values,
            np.array(records.stamped, np.int64),
            np.array([value is None for value in records.values]),
        )
        if not finite.all():
            wrong += [
                records.reject(int(at), "not_finite", "the row holds NaN or infinity")
                for at in np.flatnonzero(~finite)
            ]
            block = block.rows(finite)
        return Polled([block] if len(block) else [], in_order(unusable, wrong))

    def _right_width(self, records: RawRecords) -> tuple[RawRecords, list[Reject]]:
        width = 4 * prod(self.shape)
        if {len(value) for value in records.values if value is not None} <= {width}:
            return records, []
        keep: list[int] = []
        rejects: list[Reject] = []
        for at, value in enumerate(records.values):
            if value is None or len(value) == width:
                keep.append(at)
                continue
            reason = f"{len(value)} bytes, {width} expected ({width // 4} float32 features)"
            rejects.append(records.reject(at, "width", reason))
        return records.at(keep), rejects
