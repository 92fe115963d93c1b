"""Records that carry many rows of many streams, in the block format."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import msgspec
import numpy as np

from pipeline.block import Block, Bool, KeyTable, Polled, Reject
from pipeline.decode.base import BROKEN_JSON, MAX_RECORD_BYTES, RawRecords
from pipeline.decode.block_format import BlockFormatError, RawBlock, decode_block, key_list
from pipeline.decode.screen import in_order, key_problem, make_block, screen, usable
from pipeline.decode.times import FIRST_US, LAST_US

CACHED_TABLES = 64
CACHED_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Known:
    """A key table that was seen before, and what is wrong with some of its keys."""

    table: KeyTable
    problems: dict[int, str]


class Blocks:
    """Decodes blocks whose rows have ``shape`` (features of the model).

    Equal key tables come out as one ``KeyTable`` object. A record that is no block is rejected as
    a whole; a row that is not finite, out of time, or of an unusable key is rejected alone.
    A record's key means nothing unless it is a tombstone, which ends the stream of that key.
    ``features``, if given, are compared with the names in the blocks that carry some; those at
    ``missing`` may be NaN.
    """

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        features: tuple[str, ...] | None = None,
        missing: Sequence[int] = (),
        max_record_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        self.shape = (shape,) if isinstance(shape, int) else shape
        self.max_record_bytes = max_record_bytes
        self._features = features
        self._missing = list(missing)
        self._tables: OrderedDict[tuple[int, bytes], _Known] = OrderedDict()
        self._cached_bytes = 0
        self._good_meta = b""

    def decode(self, records: RawRecords) -> Polled:
        """Blocks and rejects of the partition, each in offset order: a block for each record."""
        records, rejects = screen(records, self.max_record_bytes, keyed=False)
        blocks: list[Block] = []
        for at, value in enumerate(records.values):
            if value is None:
                blocks.append(self._ending(records.at([at])))
                continue
            try:
                raw = decode_block(value)
                known = self._known(raw)
            except BlockFormatError as error:
                rejects.append(records.reject(at, "malformed", str(error)))
                continue
            if problem := self._misfit(raw):
                rejects.append(records.reject(at, *problem))
                continue
            block, wrong = self._rows(records, at, raw, known)
            rejects += wrong
            if len(block):
                blocks.append(block)
        return Polled(blocks, in_order(rejects))

    def _known(self, raw: RawBlock) -> _Known:
        name = (raw.key_count, raw.table)
        known = self._tables.get(name)
        if known is not None:
            self._tables.move_to_end(name)
            return known
        keys = key_list(raw)
        if len(set(keys)) != len(keys):
            raise BlockFormatError("the key table names a stream twice")
        found = ((at, key_problem(key)) for at, key in enumerate(keys))
        known = _Known(KeyTable(keys), {at: problem for at, problem in found if problem})
        self._tables[name] = known
        self._cached_bytes += len(raw.table)
        while len(self._tables) > CACHED_TABLES or self._cached_bytes > CACHED_BYTES:
            (_, oldest), _ = self._tables.popitem(last=False)
            self._cached_bytes -= len(oldest)
        return known

    def _misfit(self, raw: RawBlock) -> tuple[str, str] | None:
        """Why these rows are not the model's input, or None."""
        width = prod(self.shape)
        if raw.values.shape[1] != width:
            return "width", f"rows of {raw.values.shape[1]} values, {width} expected"
        if self._features is None or raw.meta in (b"", self._good_meta):
            return None
        try:
            names = msgspec.json.decode(raw.meta, type=_Meta).features
        except BROKEN_JSON as error:
            return "malformed", f"the block's meta text: {error}"
        if names is not None and names != self._features:
            return (
                "missing_feature",
                f"the block holds {', '.join(names)}; the model takes {', '.join(self._features)}",
            )
        self._good_meta = raw.meta
        return None

    def _rows(
        self, records: RawRecords, at: int, raw: RawBlock, known: _Known
    ) -> tuple[Block, list[Reject]]:
        rows = len(raw.stream)
        end = np.zeros(rows, np.bool_) if raw.end is None else raw.end
        stamped = np.full(rows, records.stamped[at], np.int64)
        times = stamped if raw.times is None else raw.times
        block = Block(
            records.partition,
            known.table,
            raw.stream.astype(np.int32),
            raw.values.reshape(rows, *self.shape),
            times,
            np.full(rows, records.offsets[at], np.int64),
            np.arange(rows, dtype=np.int32),
            stamped,
            end,
        )
        causes: list[tuple[str, str, Bool]] = []
        finite = usable(raw.values, self._missing)
        if not bool(finite.all()):
            causes.append(("not_finite", "the row holds NaN or infinity", ~finite))
        if rows and raw.times is not None:
            in_time = (times >= FIRST_US) & (times <= LAST_US)
            if not bool(in_time.all()):
                causes.append(("bad_time", "the time is not within the years 1 to 9998", ~in_time))
        for key, problem in known.problems.items():
            causes.append(("bad_key", problem, np.equal(raw.stream, key)))
        if not causes:
            return block, []
        bad = np.zeros(rows, np.bool_)
        rejects: list[Reject] = []
        for cause, reason, wrong in causes:
            rejects += [
                records.reject(at, cause, reason, int(row)) for row in np.flatnonzero(wrong & ~bad)
            ]
            bad |= wrong
        return block.rows(~bad), rejects

    def _ending(self, record: RawRecords) -> Block:
        values = np.zeros((1, *self.shape), np.float32)
        times = np.array(record.stamped, np.int64)
        return make_block(record, [record.keys[0] or b""], values, times, np.array([True]))


class _Meta(msgspec.Struct):
    features: tuple[str, ...] | None = None
