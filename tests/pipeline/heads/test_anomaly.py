"""The anomaly head: its score, the life of an alarm, and the head contract."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pipeline.block import Float32, Records
from pipeline.errors import BundleError
from pipeline.heads.anomaly import AnomalyHead, anomaly_head, magnitude, score_of, tail_magnitude
from pipeline.heads.base import State
from pipeline.manifest import Part
from tests.pipeline.heads.streams import HEAD, NAMES, batch, head, manifest, noise, outputs


def run(under: AnomalyHead, errors: Float32, feature: int = 1) -> tuple[list[list[Records]], State]:
    """All records of each row of ``errors [T, N]``, and the state after the last."""
    state = np.repeat(under.initial[None], errors.shape[1])
    found = []
    for row, some in enumerate(errors):
        records, state = under.step(batch(len(some), row + 1), outputs(some, feature), state)
        found.append(records)
    return found, state


def alarms(found: Sequence[Sequence[Records]]) -> list[dict[str, Any]]:
    """Every alarm record as a dict, in order."""
    return [
        {"key": records.key[at], **{name: column[at] for name, column in records.columns.items()}}
        for row in found
        for records in row
        if records.kind == "alarm"
        for at in range(len(records))
    ]


def one_burst(height: float = 30.0, rows: int = 3) -> Float32:
    """One stream's quiet errors with a burst at row 60."""
    errors = noise(90, 1)
    errors[60 : 60 + rows] = height
    return errors


def test_tail_is_exponential_above_its_level() -> None:
    """One in twenty exceeds the level; each slope beyond it is a factor of e more unlikely."""
    values = np.array([0.0, 1.0, 2.0, 2.5, 4.5, 2000.0])
    level, slope = np.full(6, 2.0), np.full(6, 0.5)
    chance = 10.0 ** -tail_magnitude(values, level, slope)[:5]
    wanted = [1.0, math.sqrt(0.05), 0.05, 0.05 * math.exp(-1.0), 0.05 * math.exp(-5.0)]
    np.testing.assert_allclose(chance, wanted, rtol=1e-12)
    far = tail_magnitude(values, level, slope)[5]
    assert far == pytest.approx(math.log10(20.0) + 3996.0 / math.log(10.0))


def test_tail_without_a_level() -> None:
    """Errors that are always 0: 0 is no news, anything else is."""
    zero = np.zeros(2)
    tail = tail_magnitude(np.array([0.0, 1.0]), zero, np.full(2, 0.1))
    assert tail[0] == 0.0
    assert tail[1] > 5.0


@pytest.mark.parametrize("rate", [1e-2, 1e-3])
def test_score_says_how_unlikely_a_row_is(rate: float) -> None:
    """From a wrong prior the tail finds a stream's own: a magnitude is the chance it claims."""
    rng = np.random.default_rng(0)
    errors = (rng.exponential(3.0, (1500, 200)) + 5.0).astype(np.float32)
    found, _ = run(head(prior_rows=20, long_rows=2000, short_rows=2), errors)
    scores = np.concatenate([row[0].columns["score"] for row in found[800:]])
    claimed = 10.0 ** -magnitude(scores.astype(np.float64))
    assert rate / 3 < (claimed < rate).mean() < rate * 4


def test_score_and_magnitude_are_inverse() -> None:
    """From a magnitude to its score and back."""
    tails = np.array([0.0, 0.1, 4.0, 1e4])
    scores = score_of(tails)
    np.testing.assert_allclose(magnitude(scores), tails, rtol=1e-9)
    assert scores[2] == 0.5
    assert scores.max() < 1.0


def test_quiet_rows_raise_no_alarm() -> None:
    """A thousand normal rows of ten streams, scored and silent."""
    found, _ = run(head(), noise(1000, 10))
    assert not alarms(found)
    scores = np.concatenate([row[0].columns["score"] for row in found])
    assert 0.0 <= scores.min() <= scores.max() < 0.5


def test_score_record_says_what_was_expected() -> None:
    """Each row has one score record with the columns that the docstring names."""
    found, _ = run(head(), noise(2, 3))
    scores = found[1][0]
    assert scores.kind == "score"
    assert list(scores.columns) == ["score", "alarm", "error", "expected"]
    assert scores.columns["expected"].tolist() == [[7.0, 8.0]] * 3
    assert scores.columns["score"].dtype == scores.columns["error"].dtype == np.float32
    assert scores.key.tolist() == [b"s0", b"s1", b"s2"]


def test_alarm_opens_and_closes() -> None:
    """One burst is one alarm: its start, its end and peak, its cause, and when it is told."""
    found, state = run(head(), one_burst())
    opened, closed = alarms(found)
    assert (opened["state"], closed["state"]) == ("open", "closed")
    assert opened["start"] == closed["start"] == 61_000_000
    assert opened["end"] == 0
    assert closed["end"] >= 63_000_000
    assert closed["peak"] >= opened["peak"] > 0.5
    assert opened["cause"] == closed["cause"] == NAMES[1]
    told = next(row for row, records in enumerate(found) if alarms([records])[:1] == [closed])
    assert (told + 1) * 1_000_000 == closed["end"] + 3_000_000  # after quiet_rows quiet rows
    column = np.concatenate([row[0].columns["alarm"] for row in found])
    assert np.flatnonzero(column).tolist() == list(range(60, told))
    assert state["start"][0] == head().initial["start"]


def test_pause_shorter_than_quiet_rows_does_not_end_an_alarm() -> None:
    """Two bursts two rows apart are one alarm, whose end is the second's."""
    errors = noise(90, 1)
    errors[[60, 62]] = 40.0
    found, _ = run(head(short_rows=2, quiet_rows=6), errors)
    closed = [one for one in alarms(found) if one["state"] == "closed"]
    assert len(closed) == 1
    assert closed[0]["start"] == 61_000_000
    assert closed[0]["end"] >= 63_000_000


def test_cause_is_the_feature_that_is_furthest_off() -> None:
    """Whichever feature contributes most, whatever its sign."""
    found, _ = run(head(), one_burst(), feature=0)
    assert alarms(found)[0]["cause"] == NAMES[0]


def test_one_bad_reading_is_seen_at_once() -> None:
    """A single row far off scores in that row, not when the short-run mean has caught up."""
    found, _ = run(head(), one_burst(rows=1))
    assert found[60][0].columns["score"][0] > 0.5


def test_many_slightly_bad_rows_are_seen_by_the_short_run() -> None:
    """Rows that each could be chance: together the short-run mean tells that they aren't."""
    errors = noise(120, 1)
    errors[60:100] = 2.0  # two and a half standard deviations of a row
    found, _ = run(head(prior_rows=3000, long_rows=5000), errors)
    score = np.concatenate([row[0].columns["score"] for row in found])
    assert score[60] < 0.4 < score[64:70].min()


def test_warm_up_rows_score_nothing() -> None:
    """However far off, the first rows of a stream raise no alarm."""
    found, _ = run(head(), np.full((8, 1), 50.0, np.float32))
    assert not alarms(found)
    assert all(row[0].columns["score"][0] == 0.0 for row in found)


def test_stream_that_changed_for_good_goes_quiet_again() -> None:
    """A lasting higher error alarms at first, and becomes the new normal."""
    errors = noise(1500, 1)
    errors[100:] += 6.0
    found, state = run(head(), errors)
    assert alarms(found)[0]["start"] == 101_000_000
    assert state["start"][0] == head().initial["start"]
    assert found[-1][0].columns["score"][0] < 0.5


def test_end_closes_what_is_open() -> None:
    """Ending streams report their open alarms, and only those."""
    errors = np.repeat(one_burst(), 2, axis=1)[:62]
    errors[:, 1] = noise(62, 1)[:, 0]
    under = head()
    _, state = run(under, errors)
    records = under.end(batch(2, 70), state)
    assert [one["state"] for one in alarms([records])] == ["closed"]
    assert records[0].key.tolist() == [b"s0"]
    assert records[0].columns["end"].tolist() == [62_000_000]
    assert under.end(batch(1, 70), under.initial[None]) == []


def test_batching_changes_nothing() -> None:
    """Bit for bit: a stream alone, or with others in any order."""
    errors = noise(120, 33)
    errors[60:64, ::5] = 25.0
    under = head()
    together, state = run(under, errors)
    for at in (0, 5, 32):
        alone, own = run(under, errors[:, at : at + 1])
        assert own.tobytes() == state[at : at + 1].tobytes()
        for row, (one, all_) in enumerate(zip(alone, together, strict=True)):
            for name in ("score", "alarm", "error"):
                got, wanted = one[0].columns[name], all_[0].columns[name][at : at + 1]
                assert got.tobytes() == wanted.tobytes(), (row, name)
    order = np.random.default_rng(1).permutation(33)
    _, shuffled = run(under, errors[:, order])
    assert shuffled.tobytes() == state[order].tobytes()


def test_arguments_are_not_mutated() -> None:
    """State and y are as they were, whatever opens and closes."""
    under = head()
    _, state = run(under, one_burst()[:60])
    y = outputs(np.array([40.0], np.float32))
    before, y_before = state.copy(), y.copy()
    under.step(batch(1, 61), y, state)
    under.end(batch(1, 62), state)
    assert state.tobytes() == before.tobytes()
    assert y.tobytes() == y_before.tobytes()


def test_state_survives_as_bytes() -> None:
    """Saved and loaded between any two rows, the head goes on as if nothing had been."""
    errors, under = one_burst(), head()
    whole, last = run(under, errors)
    _, state = run(under, errors[:61])
    state = np.frombuffer(state.tobytes(), under.dtype).copy()
    for row in range(61, len(errors)):
        records, state = under.step(batch(1, row + 1), outputs(errors[row]), state)
        assert alarms([records]) == alarms([whole[row]])
    assert state.tobytes() == last.tobytes()


def test_state_holds_no_objects() -> None:
    """It has a fixed size, so it can lie in the slot pool and in a snapshot."""
    under = head()
    assert not under.dtype.hasobject
    assert under.initial.shape == ()
    assert under.initial.dtype == under.dtype


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"threshold": 1.5}, "head.threshold"),
        ({"threshold": None}, "head.threshold"),
        ({"error_slope": 0.0}, "head.error_slope"),
        ({"quiet_rows": 0}, "head.quiet_rows"),
        ({"short_rows": 500}, "short_rows (500) must be below long_rows"),
        ({"treshold": 0.4}, "head.treshold"),
    ],
)
def test_wrong_parameters_are_named(change: dict[str, Any], word: str) -> None:
    """A bundle's error names the bundle and the parameter."""
    with pytest.raises(BundleError) as caught:
        anomaly_head(manifest(head=HEAD | change))
    assert "press" in str(caught.value)
    assert word in str(caught.value)


def test_missing_parameters_are_told_all_at_once() -> None:
    """Every missing one in one message."""
    with pytest.raises(BundleError, match=r"head\.threshold.*head\.error_level"):
        anomaly_head(manifest(head={}))


def test_other_tasks_and_outputs_are_refused() -> None:
    """A bundle of another task, and one whose outputs the head doesn't know."""
    with pytest.raises(BundleError, match="the task is 'forecast'"):
        anomaly_head(manifest(task="forecast"))
    with pytest.raises(BundleError, match="no output part 'contribution'"):
        anomaly_head(manifest(outputs=(Part(name="error", shape=(1,)),)))
    short = (Part(name="error", shape=(1,)), Part(name="contribution", shape=(1,)))
    with pytest.raises(BundleError, match="'contribution' has 1 columns"):
        anomaly_head(manifest(outputs=(*short, Part(name="forecast", shape=(2,)))))
