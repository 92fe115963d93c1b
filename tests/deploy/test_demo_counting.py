"""The demo's own counting and judging: it must notice what a broken pipeline would do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deploy.demo.anomaly.faults import FAULTS
from deploy.demo.anomaly.sample import Sample, load_sample
from deploy.demo.anomaly.streams import LABELLED, FaultyStreams, Window, make_streams
from deploy.demo.anomaly.verdict import GRACE, Alarm, judge
from deploy.demo.bad_rows import plan_bad_rows
from deploy.demo.counter import Counter
from deploy.demo.file_edges import LineStarts


def counter_with(rows: int) -> Counter:
    """A counter that has seen ``rows`` rows go to each of two partitions at time 0."""
    counter = Counter(2, 100)
    for partition in range(2):
        counter.sent(partition, rows, 0.0)
    return counter


def answer(counter: Counter, places: list[tuple[int, int]], now: float = 1.0) -> None:
    """Outputs of records (partition, number) are seen."""
    partitions, numbers = np.array(places, np.int64).T
    counter.answered(partitions, numbers, now)


def everything(rows: int) -> list[tuple[int, int]]:
    """All records of ``counter_with``."""
    return [(partition, number) for partition in range(2) for number in range(rows)]


def test_counts_when_all_is_well() -> None:
    """Each row once, each bad record dead: good, settled, and latencies in milliseconds."""
    counter = counter_with(10)
    counter.planted(1, 0.0, "malformed")
    answer(counter, everything(10), now=0.25)
    counter.dead_letter(1, 10, "malformed")
    counts = counter.counts()
    assert counts.good
    assert counter.outstanding == 0
    assert (counts.rows_sent, counts.rows_answered, counts.planted) == (20, 20, 1)
    assert counts.dead_letter_causes == {"malformed": 1}
    assert counts.latency_p50_ms == pytest.approx(250.0)
    assert counts.latency_p99_ms == pytest.approx(250.0)


def test_counts_a_lost_row() -> None:
    """A row without an output is lost."""
    counter = counter_with(10)
    answer(counter, everything(10)[:-1])
    counts = counter.counts()
    assert (counts.lost, counts.doubled, counts.good) == (1, 0, False)
    assert counter.outstanding == 1


def test_counts_doubled_outputs() -> None:
    """Repeats count, within one poll and across polls, and don't hide a lost row."""
    counter = counter_with(10)
    answer(counter, [*everything(10)[:-1], (0, 3)])
    answer(counter, [(1, 4), (1, 4)])
    counts = counter.counts()
    assert (counts.lost, counts.doubled, counts.rows_answered) == (1, 3, 19)
    assert not counts.good


def test_counts_outputs_of_rows_that_never_were() -> None:
    """An id beyond what was sent, or no number at all, is stray."""
    counter = counter_with(10)
    answer(counter, [*everything(10), (0, 10), (7, 0), (1, -1)])
    counter.dead_letter(0, 500, "late")
    counts = counter.counts()
    assert (counts.stray, counts.lost, counts.doubled, counts.good) == (4, 0, 0, False)


@pytest.mark.parametrize(
    ("letters", "missing", "unexpected", "doubled"),
    [
        ([], 1, 0, 0),
        ([(0, 10, "late")], 0, 1, 0),
        ([(0, 10, "malformed"), (0, 4, "malformed")], 0, 1, 0),
        ([(0, 10, "malformed"), (0, 10, "malformed")], 0, 0, 1),
    ],
)
def test_counts_wrong_dead_letters(
    letters: list[tuple[int, int, str]], missing: int, unexpected: int, doubled: int
) -> None:
    """A missing, misnamed, undeserved or repeated dead letter is not good."""
    counter = counter_with(10)
    counter.planted(0, 0.0, "malformed")
    answer(counter, everything(10))
    for letter in letters:
        counter.dead_letter(*letter)
    counts = counter.counts()
    assert (counts.missing_dead_letters, counts.unexpected_dead_letters) == (missing, unexpected)
    assert counts.doubled == doubled
    assert not counts.good


def test_a_dead_good_row_is_not_lost_as_well() -> None:
    """A good row among the dead letters is reported once, as what it is."""
    counter = counter_with(10)
    answer(counter, everything(10)[:-1])
    counter.dead_letter(1, 9, "late")
    counts = counter.counts()
    assert (counts.lost, counts.unexpected_dead_letters) == (0, 1)


def test_line_starts_number_the_lines() -> None:
    """Byte positions become line numbers; what is no line's start is -1."""
    starts = LineStarts()
    assert starts.numbers(np.array([0])).tolist() == [-1]
    lengths = np.random.default_rng(0).integers(1, 90, 200_000)
    begins = np.cumsum(lengths) - lengths
    for part in np.array_split(begins, 7):
        starts.add(part)
    assert starts.numbers(begins[[0, 5, 199_999]]).tolist() == [0, 5, 199_999]
    inside = begins[np.flatnonzero(lengths > 1)[:9]] + 1
    assert (starts.numbers(inside) == -1).all()
    assert starts.numbers(np.array([int(begins[-1]) + 10**6])).tolist() == [-1]


@pytest.fixture(scope="module")
def sample() -> Sample:
    """The whole sample."""
    return load_sample(10_000)


def test_sample_is_in_order_and_split(sample: Sample) -> None:
    """Times rise, the parts don't overlap, and the later one holds two labelled windows."""
    for part in (sample.train, sample.later):
        assert (np.diff(part.times) > 0).all()
    assert sample.train.times[-1] < sample.later.times[0]
    assert 0.55 < len(sample.train) / (len(sample.train) + len(sample.later)) < 0.6
    assert len(sample.windows) == 2
    days = np.diff(sample.later.times[sample.windows], axis=1)[:, 0] / 86_400e6
    assert days == pytest.approx([1.97, 1.97], abs=0.01)


def test_streams_are_repeatable_and_hold_their_faults(sample: Sample) -> None:
    """The same seed gives the same streams; windows lie inside and faults outside the labelled."""
    streams = make_streams(sample, 60, seed=3)
    again = make_streams(sample, 60, seed=3)
    other = make_streams(sample, 60, seed=4)
    assert np.array_equal(streams.values, again.values)
    assert streams.windows == again.windows
    assert not np.array_equal(streams.values, other.values)
    assert np.allclose(streams.values[:, 0], sample.later.values[:, 0], atol=1e-3)
    assert len(set(streams.keys)) == 60
    faults = [window for window in streams.windows if window.kind != LABELLED]
    assert {fault.kind for fault in faults} == set(FAULTS)
    assert len(faults) == round(0.4 * 59)
    for fault in faults:
        assert 0 <= fault.first <= fault.last < streams.rows
        for window in streams.windows:
            if window.stream == fault.stream and window.kind == LABELLED:
                assert fault.last < window.first or window.last < fault.first


def test_copies_have_no_step_at_their_joint(sample: Sample) -> None:
    """Rotation leaves no jump that the series itself does not have."""
    streams = make_streams(sample, 40, seed=0)
    steps = np.abs(np.diff(streams.values, axis=0)).max(axis=0)
    largest = float(np.abs(np.diff(sample.later.values[:, 0])).max())
    whole = [
        n for n in range(40) if all(w.kind == LABELLED for w in streams.windows if w.stream == n)
    ]
    assert (steps[whole] < 1.25 * largest + 2.0).all()


def test_bad_rows_are_of_every_cause(sample: Sample) -> None:
    """The plan holds as many of each as asked for, after rows that exist."""
    streams = make_streams(replace(sample, later=sample.later.rows(0, 100)), 5, seed=0)
    plan = plan_bad_rows(streams, 2, seed=0)
    causes = [bad.cause for some in plan.values() for bad in some]
    wanted = "malformed missing_feature extra_field wrong_type not_finite bad_time late duplicate"
    assert set(causes) == set(wanted.split())
    assert len(causes) == 18
    assert all(0 <= row < 100 for row in plan)
    lacking = plan_bad_rows(streams, 2, seed=0, may_lack=True)
    causes = [bad.cause for some in lacking.values() for bad in some]
    assert len(causes) == 16
    assert set(causes) == set(wanted.split()) - {"missing_feature"}


def flat_streams(*windows: Window) -> FaultyStreams:
    """Three streams of a week."""
    rows = 7 * 24 * 12
    times = np.arange(rows, dtype=np.int64) * 300_000_000
    values = np.zeros((rows, 3), np.float32)
    return FaultyStreams("temperature", (b"machine-real", b"a", b"b"), times, values, windows)


def test_verdict_counts_catches_and_false_alarms() -> None:
    """An alarm in a window catches it, one shortly after tells its end, any other is false."""
    streams = flat_streams(
        Window(0, LABELLED, 100, 200), Window(0, LABELLED, 600, 700), Window(1, "drift", 300, 399)
    )
    alarms = [
        Alarm(0, 120, 130, 0.9, "t"),
        Alarm(0, 150, 160, 0.9, "t"),
        Alarm(0, 900, 910, 0.9, "t"),
        Alarm(1, 399 + GRACE, 420, 0.9, "t"),
        Alarm(2, 10, 20, 0.9, "t"),
        Alarm(2, 399 + GRACE + 100, 800, 0.9, "t"),
    ]
    verdict = judge(streams, alarms)
    assert (verdict.real.windows, verdict.real.caught) == (2, 1)
    assert verdict.real.delay_min == pytest.approx(20 * 5)
    assert (verdict.real_alarms, verdict.real_false_alarms) == (3, 1)
    (drift,) = verdict.copies
    assert (drift.kind, drift.windows, drift.caught, drift.ended) == ("drift", 1, 0, 1)
    assert drift.delay_min is None
    assert (verdict.alarms, verdict.false_alarms) == (6, 3)
    marked = 101 + 101 + 100 + 3 * GRACE
    assert verdict.weeks == pytest.approx((3 * streams.rows - marked) / streams.rows)
    assert verdict.false_alarms_per_week == pytest.approx(3 / verdict.weeks)


def test_chance_is_the_share_of_places_that_meet_an_alarm() -> None:
    """One alarm row in a stream without faults meets as many windows as are long."""
    streams = flat_streams(Window(1, "drift", 300, 399))
    verdict = judge(streams, [Alarm(2, 1000, 1000, 0.9, "t")])
    (drift,) = verdict.copies
    assert drift.caught == 0
    assert drift.chance == pytest.approx(100 / (streams.rows - 100 + 1))
