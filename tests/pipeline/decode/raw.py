"""Records for decoder tests."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.decode.base import RawRecords

FIRST_OFFSET = 100
STAMPED = 1_700_000_000_000_000


def raw(values: Sequence[bytes | None], keys: Sequence[bytes | None] | None = None) -> RawRecords:
    """Records of partition 3 from offset 100 on, one a second; keys default to ``a``."""
    count = len(values)
    return RawRecords(
        "rows",
        3,
        list(range(FIRST_OFFSET, FIRST_OFFSET + count)),
        [STAMPED + 1_000_000 * i for i in range(count)],
        [b"a"] * count if keys is None else keys,
        values,
    )
