"""Records whose value is sound: 16-bit PCM of one channel; the key names the stream."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from pipeline.audio.rows import cut, flush_rows, in_calendar, row_ends
from pipeline.block import Block, Float32, Int32, Int64, KeyTable, Polled, Reject
from pipeline.decode.base import MAX_RECORD_BYTES, RawRecords
from pipeline.decode.screen import in_order, screen
from pipeline.manifest import Audio

FULL_SCALE = np.float32(32768)
SILENT_SAMPLES = 1 << 20  # of a decode that are written out as zeros (4 MiB); more are shared


class Pcm:
    """Decodes little-endian 16-bit samples at the model's rate; a record may have any number.

    A record's timestamp is when its last sample was captured. A tombstone ends its stream after
    ``flush_s`` of silence, so that what the model holds back comes out.
    """

    def __init__(
        self, audio: Audio, *, flush_s: float, max_record_bytes: int = MAX_RECORD_BYTES
    ) -> None:
        self._rate, self._chunk = audio.sample_rate_hz, audio.chunk
        self._flush = flush_rows(flush_s, self._rate, self._chunk) * self._chunk
        self.max_record_bytes = max_record_bytes

    def decode(self, records: RawRecords) -> Polled:
        """Blocks and rejects of the partition, each in offset order."""
        records, unusable = screen(records, self.max_record_bytes)
        records, wrong = _whole_samples(records)
        rejects = in_order(unusable, wrong)
        return Polled([self._rows(piece) for piece in self._pieces(records)], rejects)

    def _pieces(self, records: RawRecords) -> Iterator[RawRecords]:
        """The records of each block: all, unless their silence would take much memory.

        A tombstone has no bytes, so that nothing else bounds how many are polled.
        """
        silent = self._flush + self._chunk
        ends = sum(value is None for value in records.values)
        if ends * silent <= SILENT_SAMPLES:
            if len(records):
                yield records
            return
        for tombstones, run in groupby(range(len(records)), lambda at: records.values[at] is None):
            places = list(run)
            most = max(1, SILENT_SAMPLES // silent) if tombstones else len(places)
            for at in range(0, len(places), most):
                yield records.at(places[at : at + most])

    def _values(self, records: RawRecords, lengths: Int64) -> tuple[Float32, Int32]:
        """The records' rows [N, chunk], and how many each has."""
        chunk, silent = self._chunk, self._flush + self._chunk
        if not any(records.values):  # tombstones alone: one row of zeros stands for all
            rows = np.full(len(records), silent // chunk, np.int32)
            return np.broadcast_to(np.zeros(chunk, np.float32), (int(rows.sum()), chunk)), rows
        silence = bytes(2 * silent)
        joined = b"".join([silence if value is None else value for value in records.values])
        samples = np.frombuffer(joined, "<i2").astype(np.float32)
        samples /= FULL_SCALE
        return cut(samples, lengths, chunk)

    def _rows(self, records: RawRecords) -> Block:
        chunk, count = self._chunk, len(records)
        ending = np.array([value is None for value in records.values])
        # An ending stream's last row is the one that ends it: a chunk of zeros behind the silence.
        lengths = np.array(
            [self._flush + chunk if value is None else len(value) // 2 for value in records.values],
            np.int64,
        )
        values, rows = self._values(records, lengths)
        record = np.repeat(np.arange(count), rows)
        last = np.cumsum(rows) - 1
        stamped = np.array(records.stamped, np.int64)
        # Silence comes after the record's time, its sound before.
        ends = row_ends(lengths, chunk) - np.where(ending, 0, lengths)[record]
        end = np.zeros(len(values), np.bool_)
        end[last[ending]] = True
        ends[end] -= chunk
        keys = [key or b"" for key in records.keys]
        table = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        stream = np.fromiter(map(table.__getitem__, keys), np.int32, count)
        return Block(
            records.partition,
            KeyTable(list(table)),
            stream[record],
            values,
            in_calendar(stamped[record] + ends * 1_000_000 // self._rate),
            np.array(records.offsets, np.int64)[record],
            (np.arange(len(values)) - (last - rows + 1)[record]).astype(np.int32),
            stamped[record],
            end,
        )


def _whole_samples(records: RawRecords) -> tuple[RawRecords, list[Reject]]:
    """Without the records that hold no samples, or half of one."""
    keep: list[int] = []
    rejects: list[Reject] = []
    for at, value in enumerate(records.values):
        if value is None or (value and len(value) % 2 == 0):
            keep.append(at)
            continue
        reason = (
            f"{len(value)} bytes are no whole number of 16-bit samples"
            if value
            else "the record is empty; a stream is ended by a null value"
        )
        rejects.append(records.reject(at, "malformed", reason))
    return (records.at(keep) if rejects else records), rejects
