"""The recovery plan: where each partition starts, for every way log and snapshot can stand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import GapError
from pipeline.recovery import OnGap, Plan, Start, plan
from pipeline.sources.base import LogRange

FITTING = {
    "never run, from the first row": (LogRange(0, 50, None), None, "earliest", Plan(0, 0)),
    "never run, truncated log": (LogRange(20, 50, None), None, "earliest", Plan(20, 20)),
    "never run, from now on": (LogRange(0, 50, None), None, "latest", Plan(50, 50)),
    "never run, empty log": (LogRange(0, 0, None), None, "latest", Plan(0, 0)),
    "snapshot at the commit": (LogRange(0, 50, 30), 30, "earliest", Plan(30, 30)),
    "snapshot before the commit": (LogRange(0, 50, 30), 10, "earliest", Plan(10, 30)),
    "committed at the end": (LogRange(0, 50, 50), 10, "latest", Plan(10, 50)),
    "log starts at the fence": (LogRange(10, 50, 30), 10, "earliest", Plan(10, 30)),
    "all of the log is gone, and was stepped": (LogRange(50, 50, 50), 50, "latest", Plan(50, 50)),
    "no snapshot, but the whole log": (LogRange(0, 50, 30), None, "latest", Plan(0, 30)),
    "the group was forgotten": (LogRange(0, 50, None), 20, "latest", Plan(20, 20)),
}

MISFITS = {
    "log no longer reaches the fence": (
        LogRange(15, 50, 30),
        10,
        r"the log starts at 15, the snapshot needs it from 10 on",
        {"earliest": 30, "latest": 30},
    ),
    "log no longer reaches the commit": (
        LogRange(40, 50, 30),
        10,
        r"starts at 40",
        {"earliest": 40, "latest": 50},
    ),
    "no snapshot, truncated log": (
        LogRange(15, 50, 30),
        None,
        r"no snapshot, and the log starts at 15",
        {"earliest": 30, "latest": 30},
    ),
    "topic made anew": (
        LogRange(0, 5, 30),
        10,
        r"committed offset 30 lies beyond the log's end 5",
        {"earliest": 0, "latest": 5},
    ),
    "topic made anew, no snapshot": (
        LogRange(0, 5, 30),
        None,
        r"beyond the log's end 5",
        {"earliest": 0, "latest": 5},
    ),
    "topic made anew, group forgotten": (
        LogRange(0, 5, None),
        30,
        r"beyond the log's end 5",
        {"earliest": 0, "latest": 5},
    ),
    "group forgotten, log truncated": (
        LogRange(25, 50, None),
        20,
        r"the log starts at 25",
        {"earliest": 25, "latest": 50},
    ),
    "offsets set back": (
        LogRange(0, 50, 10),
        30,
        r"fence 30 lies beyond the committed offset 10",
        {"earliest": 10, "latest": 10},
    ),
}


@pytest.mark.parametrize("on_gap", ["stop", "reset"])
@pytest.mark.parametrize("case", FITTING)
def test_a_log_that_fits_is_replayed_from_the_fence(case: str, on_gap: OnGap) -> None:
    """What to do about gaps changes nothing where there is none."""
    log, fence, start, expected = FITTING[case]
    assert start in ("earliest", "latest")
    chosen: Start = "latest" if start == "latest" else "earliest"
    assert plan("t-0", log, fence, start=chosen, on_gap=on_gap) == expected


@pytest.mark.parametrize("start", ["earliest", "latest"])
@pytest.mark.parametrize("case", MISFITS)
def test_a_gap_stops_the_run_and_says_why(case: str, start: Start) -> None:
    """The message names the partition, both offsets and the setting that goes on."""
    log, fence, message, _ = MISFITS[case]
    with pytest.raises(GapError, match=message) as caught:
        plan("t-7", log, fence, start=start, on_gap="stop")
    assert "t-7" in str(caught.value)
    assert 'state.on_gap = "reset"' in str(caught.value)


@pytest.mark.parametrize("start", ["earliest", "latest"])
@pytest.mark.parametrize("case", MISFITS)
def test_on_gap_reset_starts_anew_at_the_commit_where_the_log_has_it(
    case: str, start: Start
) -> None:
    """Otherwise where a new group would start."""
    log, fence, _, first = MISFITS[case]
    chosen = plan("t-7", log, fence, start=start, on_gap="reset")
    assert chosen == Plan(first[start], first[start], forget=True)


offsets = st.integers(0, 6)


@settings(deadline=None)
@given(
    offsets,
    offsets,
    st.none() | offsets,
    st.none() | offsets,
    st.sampled_from(["earliest", "latest"]),
    st.sampled_from(["stop", "reset"]),
)
def test_every_plan_starts_within_the_log_and_skips_no_output(
    first: int, length: int, committed: int | None, fence: int | None, start: Start, on_gap: OnGap
) -> None:
    """Whatever the offsets: the seek is readable, and nothing committed is emitted again."""
    log = LogRange(first, first + length, committed)
    try:
        chosen = plan("t-0", log, fence, start=start, on_gap=on_gap)
    except GapError:
        assert on_gap == "stop"
        return
    assert log.start <= chosen.seek <= chosen.live_from <= log.end
    if committed is not None and log.start <= committed <= log.end:
        assert chosen.live_from == committed
    if fence is not None and not chosen.forget:
        assert chosen.seek == fence
    if chosen.forget:
        assert chosen.seek == chosen.live_from
