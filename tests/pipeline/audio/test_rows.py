"""Cutting samples into rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audio.rows import channel_block, channel_keys, clean_name, cut, flush_rows, row_ends
from pipeline.block import KeyTable
from pipeline.decode.times import FIRST_US, LAST_US


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(1, 12))
def test_rows_hold_the_pieces_samples_in_order(lengths: list[int], chunk: int) -> None:
    """Every sample once; NaN only behind the last samples of a piece; no row is empty."""
    samples = np.arange(sum(lengths), dtype=np.float32)
    values, rows = cut(samples, np.array(lengths, np.int64), chunk)
    assert rows.tolist() == [-(-length // chunk) for length in lengths]
    there = ~np.isnan(values)
    assert values[there].tolist() == samples.tolist()
    assert there[:, 0].all()
    assert (there[:, :-1] >= there[:, 1:]).all()
    ends, first = row_ends(np.array(lengths, np.int64), chunk).tolist(), 0
    for length, count in zip(lengths, rows.tolist(), strict=True):
        filled = there[first : first + count].sum(axis=1)
        assert filled.sum() == length
        assert ends[first : first + count] == np.cumsum(filled).tolist()
        first += count


def test_whole_chunks_are_not_copied() -> None:
    """The common case."""
    samples = np.zeros(80, np.float32)
    values, _ = cut(samples, np.array([40, 40]), 20)
    assert values.base is samples


def test_channels_lie_side_by_side() -> None:
    """Rows of the same sound share an offset; the channel is their index."""
    values = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    table, places = KeyTable(channel_keys("mic", 2)), np.array([7, 8, 9])
    block = channel_block(4, table, values, offsets=places, times=places * 2, stamped=places * 3)
    assert table.keys == [b"mic.0", b"mic.1"]
    assert block.offset.tolist() == [7, 7, 8, 8, 9, 9]
    assert block.index.tolist() == [0, 1] * 3
    assert block.times.tolist() == [14, 14, 16, 16, 18, 18]
    assert block.values[block.stream == 1].tolist() == values[1].tolist()
    assert not block.end.any()


def test_one_channel_has_the_name_alone() -> None:
    """No number where there is nothing to tell apart."""
    assert channel_keys("mic", 1) == [b"mic"]


def test_silence_at_the_end_is_whole_chunks() -> None:
    """As many as cover the time, and at least one, for a last chunk that is short."""
    assert [flush_rows(s, 16_000, 1280) for s in (0, 0.08, 0.081, 0.8)] == [1, 1, 2, 10]


def test_times_of_channels_stay_within_the_calendar() -> None:
    """Years 1 to 9998 can be written."""
    places = np.array([FIRST_US - 1, LAST_US + 1])
    block = channel_block(
        0,
        KeyTable([b"a"]),
        np.zeros((1, 2, 4), np.float32),
        offsets=np.arange(2),
        times=places,
        stamped=places,
    )
    assert block.times.tolist() == block.stamped.tolist() == [FIRST_US, LAST_US]


def test_a_name_is_always_text() -> None:
    """Also of a file whose name is not."""
    assert clean_name(["a", "b\udce9"]) == "a/b?"
