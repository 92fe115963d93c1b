"""Sound over Kafka: samples, rows, times, ends, and records that are none."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.block import Records
from pipeline.decode.base import RawRecords
from pipeline.decode.pcm import Pcm
from pipeline.decode.times import FIRST_US, LAST_US
from pipeline.encode.json_rows import JsonRows
from pipeline.manifest import Audio
from tests.pipeline.audio.sounds import noise, pcm
from tests.pipeline.decode.raw import FIRST_OFFSET, STAMPED, raw

AUDIO = Audio(sample_rate_hz=8000, chunk=80)
CHUNK_US = 10_000


def decoder(flush_s: float = 0.025, **options: int) -> Pcm:
    """Of ten-millisecond chunks."""
    return Pcm(AUDIO, flush_s=flush_s, **options)


def test_a_record_of_one_chunk_is_a_row() -> None:
    """Full scale is 1.0, and the row ends when the record was stamped."""
    samples = noise(80)
    (block,) = decoder().decode(raw([pcm(samples[0])])).blocks
    assert np.array_equal(block.values, samples)
    assert block.values.dtype == np.float32
    assert block.times.tolist() == block.stamped.tolist() == [STAMPED]
    assert (block.partition, block.offset.tolist(), block.index.tolist()) == (
        3,
        [FIRST_OFFSET],
        [0],
    )
    assert not block.end.any()


def test_the_extremes_are_exact() -> None:
    """As far down as -1.0, up to one step below 1.0."""
    (block,) = decoder().decode(raw([np.array([-32768, 32767], "<i2").tobytes()])).blocks
    assert block.values[0, :2].tolist() == [-1.0, 32767 / 32768]
    assert np.isnan(block.values[0, 2:]).all()


def test_a_long_record_is_cut_into_rows_that_end_one_after_the_other() -> None:
    """The last, which is short, ends at the record's timestamp."""
    samples = noise(200)
    (block,) = decoder().decode(raw([pcm(samples[0])])).blocks
    assert block.values.shape == (3, 80)
    assert np.array_equal(block.values.ravel()[:200], samples[0])
    assert np.isnan(block.values.ravel()[200:]).all()
    assert (block.times - STAMPED).tolist() == [-15_000, -5_000, 0]
    assert block.index.tolist() == [0, 1, 2]
    assert block.offset.tolist() == [FIRST_OFFSET] * 3


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.integers(1, 300)), min_size=1))
def test_every_sample_is_in_its_stream_in_order(pieces: list[tuple[bytes, int]]) -> None:
    """Whatever the records' lengths, and whatever was polled with them."""
    sounds = [noise(length, seed=at)[0] for at, (_, length) in enumerate(pieces)]
    records = raw([pcm(sound) for sound in sounds], [key for key, _ in pieces])
    (block,) = decoder().decode(records).blocks
    for number, key in enumerate(block.table.keys):
        values = block.values[block.stream == number]
        wanted = [sound for sound, (of, _) in zip(sounds, pieces, strict=True) if of == key]
        assert np.array_equal(values[~np.isnan(values)], np.concatenate(wanted))
    assert np.array_equal(block.offset, np.sort(block.offset))
    assert not np.isnan(block.values[:, 0]).any()


def test_a_tombstone_flushes_its_stream_and_ends_it() -> None:
    """Silence first, as whole chunks that cover the time; all with the tombstone's offset."""
    (block,) = decoder(0.025).decode(raw([pcm(noise(80)[0]), None])).blocks
    assert block.end.tolist() == [False] * 4 + [True]
    assert block.offset.tolist() == [FIRST_OFFSET] + [FIRST_OFFSET + 1] * 4
    assert block.index.tolist() == [0, 0, 1, 2, 3]
    assert not block.values[1:].any()
    ended = STAMPED + 1_000_000
    assert block.times.tolist() == [STAMPED, *(ended + at * CHUNK_US for at in (1, 2, 3, 3))]
    assert set(block.stamped[1:].tolist()) == {ended}


def test_a_short_remainder_is_always_flushed() -> None:
    """By one chunk of silence at least, where no more is wanted: the samples held come out."""
    (block,) = decoder(0).decode(raw([None])).blocks
    assert (block.end.tolist(), block.index.tolist()) == ([False, True], [0, 1])


@pytest.mark.parametrize(
    ("stamped", "value"), [(LAST_US, None), (LAST_US - 5000, None), (FIRST_US, bytes(1600))]
)
def test_times_stay_within_the_calendar(stamped: int, value: bytes | None) -> None:
    """Silence behind its last microsecond, and sound before its first, can still be written."""
    records = RawRecords("t", 0, [0], [stamped], [b"a"], [value])
    (block,) = decoder().decode(records).blocks
    assert block.times.min() >= FIRST_US
    assert block.times.max() <= LAST_US
    count = len(block)
    outputs = Records(
        "output",
        np.full(count, b"a", object),
        block.times,
        np.zeros(count, np.int32),
        block.offset,
        block.index,
        block.stamped,
        np.ones(count, np.bool_),
        {},
    )
    assert len(JsonRows("t").encode(outputs).values) == count


def test_many_tombstones_share_their_silence() -> None:
    """They have no bytes to bound them; rows, order and ends are those of one decoded alone."""
    decode = decoder(60).decode
    (alone,) = decode(raw([None])).blocks
    values = [pcm(noise(80)[0]), *[None] * 200, pcm(noise(100)[0]), None]
    keys = [b"k%d" % (at % 150) for at in range(len(values))]
    decode(raw(values[:1]))
    tracemalloc.start()
    blocks = decode(raw(values, keys)).blocks
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(map(len, blocks)) == 1 + 200 * len(alone) + 2 + len(alone)
    # Written out their silence is 386 MB; of the rest a row takes some 50 bytes.
    assert peak < 150e6
    offsets = np.concatenate([block.offset for block in blocks])
    assert (np.diff(offsets) >= 0).all()
    assert set(offsets.tolist()) == set(range(FIRST_OFFSET, FIRST_OFFSET + 203))
    for block in blocks[1:-2]:
        assert len(block) * 80 <= 6e6
        for offset in np.unique(block.offset).tolist():
            own = block.rows(block.offset == offset)
            assert np.array_equal(own.values, alone.values)
            assert np.array_equal(own.index, alone.index)
            assert np.array_equal(own.end, alone.end)
            assert np.array_equal(own.times - own.stamped, alone.times - alone.stamped)
            assert block.table.keys[own.stream[0]] == keys[offset - FIRST_OFFSET]


@pytest.mark.parametrize(("value", "said"), [(b"", "empty"), (b"abc", "3 bytes")])
def test_what_holds_no_whole_samples_is_rejected(value: bytes, said: str) -> None:
    """Alone: the records around it are rows."""
    polled = decoder().decode(raw([pcm(noise(80)[0]), value, pcm(noise(80)[0])]))
    (reject,) = polled.rejects
    assert (reject.cause, reject.offset, reject.value) == ("malformed", FIRST_OFFSET + 1, value)
    assert said in reject.reason
    assert polled.blocks[0].offset.tolist() == [FIRST_OFFSET, FIRST_OFFSET + 2]


def test_a_poll_of_bad_records_has_no_block() -> None:
    """Nor has an empty one."""
    assert not decoder().decode(raw([b"", b"a"])).blocks
    assert not decoder().decode(raw([]))


def test_keys_and_sizes_are_checked() -> None:
    """As for every payload."""
    records = raw([bytes(2), bytes(202), bytes(2)], [None, b"a", b"\xff"])
    polled = decoder(max_record_bytes=200).decode(records)
    assert [reject.cause for reject in polled.rejects] == ["bad_key", "too_large", "bad_key"]
    assert not polled.blocks


def test_a_million_samples_are_many_rows() -> None:
    """Where the limit lets them in."""
    samples = noise(1_000_000)
    (block,) = decoder(max_record_bytes=2_000_000).decode(raw([pcm(samples[0])])).blocks
    assert np.array_equal(block.values.ravel(), samples[0])
    assert block.index.tolist() == list(range(12_500))
    assert int(block.times[0]) == STAMPED - 12_499 * CHUNK_US


def test_times_do_not_drift_at_a_rate_that_divides_no_microsecond() -> None:
    """Each is counted from the record's timestamp."""
    audio = Audio(sample_rate_hz=44_100, chunk=441)
    records = RawRecords("t", 0, [0], [10_000_000], [b"a"], [bytes(2 * 44_100)])
    (block,) = Pcm(audio, flush_s=0).decode(records).blocks
    assert np.abs(block.times - (9_010_000 + np.arange(100) * 10_000)).max() <= 1
