"""Short rows join to whole chunks, stream by stream, wherever the records were cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cut import Chunks
from tests.pipeline.blocks import make_batch, make_block
from tests.pipeline.harness import CountHead

CHUNK, RATE = 8, 1000


def rows_of(lengths: list[int], first: float) -> list[list[float]]:
    """Rows of these many samples each, counting up from ``first``, filled up with NaN."""
    rows = []
    for length in lengths:
        rows.append(
            [first + at for at in range(length)] + [float("nan")] * (CHUNK - length),
        )
        first += length
    return rows


@given(st.lists(st.lists(st.integers(1, CHUNK), min_size=1, max_size=12), min_size=1, max_size=5))
def test_chunks_hold_the_samples_in_order_and_the_rest_is_kept(cuts: list[list[int]]) -> None:
    """Streams with rows of any lengths side by side: each gets its own samples, none twice."""
    chunks = Chunks(CountHead(), CHUNK, RATE)
    streams = [rows_of(lengths, 1000.0 * number) for number, lengths in enumerate(cuts)]
    state = np.repeat(chunks.initial[None], len(streams), axis=0)
    got: list[list[float]] = [[] for _ in streams]
    for step in range(max(map(len, streams))):
        here = [number for number, rows in enumerate(streams) if step < len(rows)]
        own = state[here]
        values = np.array([streams[number][step] for number in here], np.float32)
        x, whole = chunks.join(values, own)
        state[here] = own
        for at, number in enumerate(here):
            if whole[at]:
                got[number] += x[at].tolist()
    for number, lengths in enumerate(cuts):
        total = sum(lengths)
        left = int(state["fill"][number])
        assert left == total % CHUNK
        held = state["held"][number][:left].tolist()
        assert got[number] + held == [1000.0 * number + at for at in range(total)]


def test_whole_rows_of_streams_that_hold_nothing_pass_as_they_are() -> None:
    """What microphones and files send costs no copy."""
    chunks = Chunks(CountHead(), CHUNK, RATE)
    state = np.repeat(chunks.initial[None], 3, axis=0)
    values = np.ones((3, CHUNK), np.float32)
    x, whole = chunks.join(values, state)
    assert x is values
    assert whole.all()


def test_the_head_has_its_own_state_beside_the_samples() -> None:
    """The samples held survive a step of the head, and it counts on from where it was."""
    chunks = Chunks(CountHead(), CHUNK, RATE)
    state = np.repeat(chunks.initial[None], 1, axis=0)
    chunks.join(np.array(rows_of([5], 0.0), np.float32), state)
    batch = make_batch(make_block(0, [b"s"], [7]), [1])
    _, after = chunks.step(batch, np.zeros((1, 3), np.float32), state)
    assert after["head"]["rows"].tolist() == [1]
    assert after["fill"].tolist() == [5]
    assert after["held"][0, :5].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert state["head"]["rows"].tolist() == [0]
    (ended,) = chunks.end(batch, after)
    assert ended.columns["rows"].tolist() == [1]
