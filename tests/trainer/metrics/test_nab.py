"""The NAB scorer against hand-computed cases and the benchmark's published figures."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared import shared_path
from trainer.benchmarks import nab as benchmark
from trainer.metrics.nab import (
    PROFILES,
    STANDARD,
    Profile,
    Scored,
    position_value,
    probation_rows,
    row_values,
    score_at,
    score_corpus,
)


def scored(score: list[float] | np.ndarray, *windows: tuple[int, int], name: str = "a") -> Scored:
    """A file of these scores and windows."""
    return Scored(
        name, np.asarray(score, np.float64), np.array(windows, np.int64).reshape(len(windows), 2)
    )


def published(folder: str) -> list[Scored]:
    """A published detector's raw scores in the form that the scorer takes."""
    root = shared_path("data", "anomaly", "nab")
    files = []
    for case in benchmark.load(root):
        kind, name = case.name.split("/")
        path = root / "results" / folder / kind / f"{folder}_{name}.gz"
        rows = gzip.decompress(path.read_bytes()).decode().splitlines()[1:]
        score = np.array([float(row.split(",")[2]) for row in rows])
        files.append(Scored(case.name, score, case.windows))
    return files


def test_published_windowed_gaussian() -> None:
    """The benchmark's own code gives these raw scores 39.65, 20.87 and 47.41."""
    scores = score_corpus(published("windowedGaussian"))
    figures = [scores[profile.name].score for profile in PROFILES]
    assert figures == pytest.approx([39.65, 20.87, 47.41], abs=0.05)


def test_probation_is_a_share_with_a_limit() -> None:
    """15 % of the rows, rounded down, and never more than 750."""
    assert [probation_rows(rows) for rows in (0, 10, 4032, 5000, 22695)] == [0, 1, 604, 750, 750]


def test_position_value_is_the_scaled_sigmoid() -> None:
    """Worth falls from the window's start over 0 at its end to −1 beyond three widths."""
    values = position_value(np.array([-1.0, 0.0, 1.0, 3.0, 3.01]))
    wanted = [2 / (1 + math.exp(5 * x)) - 1 for x in (-1.0, 0.0, 1.0, 3.0)]
    assert values.tolist() == pytest.approx([*wanted, -1.0])


def test_row_values_by_hand() -> None:
    """A window of four rows: worth by the position in it, then by the distance past it."""
    value, window = row_values(12, np.array([[3, 6]]))
    top = 2 / (1 + math.exp(-5.0)) - 1
    assert window.tolist() == [-1] * 3 + [0] * 4 + [-1] * 5
    assert value[:3].tolist() == [-1.0] * 3
    inside = [(2 / (1 + math.exp(-5 * left / 4)) - 1) / top for left in (4, 3, 2, 1)]
    assert value[3:7].tolist() == pytest.approx(inside)
    behind = [2 / (1 + math.exp(5 * past / 3)) - 1 for past in (1, 2, 3, 4, 5)]
    assert value[7:].tolist() == pytest.approx(behind)


def test_first_detection_in_a_window_counts() -> None:
    """A window's reward is that of its earliest firing row; later ones add nothing."""
    score = np.zeros(200)
    score[[100, 105]] = 1.0
    result = score_corpus([scored(score, (100, 109))])["standard"]
    assert result.score == pytest.approx(100.0)
    assert (result.files[0].found, result.files[0].false_alarms) == (1, 0)


def test_sweep_weighs_a_false_alarm_against_a_window() -> None:
    """A window found at the price of one far false alarm is worth it; the sum is exact."""
    score = np.zeros(200)
    score[50], score[100] = 0.9, 0.8
    result = score_corpus([scored(score, (100, 109))])["standard"]
    assert result.threshold == 0.8
    assert result.raw == pytest.approx(1.0 - 0.11)
    assert result.score == pytest.approx(100 * (2.0 - 0.11) / 2.0)


def test_ties_fire_together() -> None:
    """Rows of one score can't be told apart by a threshold: fifty false alarms come along."""
    score = np.zeros(400)
    score[100:150] = score[200] = 0.7
    result = score_corpus([scored(score, (200, 209))])["standard"]
    assert result.threshold == math.inf
    assert result.score == 0.0


def test_probation_rows_neither_pay_nor_cost() -> None:
    """What fires in the first 15 % of a file is left out of the count."""
    score = np.zeros(100)
    score[:15] = score[50] = 1.0
    result = score_corpus([scored(score, (50, 59))])["standard"]
    assert result.score == pytest.approx(100.0)


def test_one_threshold_holds_for_all_files() -> None:
    """A file on another scale pays with its false alarms: thresholds aren't chosen per file."""
    loud, quiet = np.full(400, 0.6), np.zeros(400)
    loud[200], quiet[200] = 0.9, 0.5
    both = score_corpus([scored(loud, (200, 209)), scored(quiet, (200, 209), name="b")])["standard"]
    assert [file.found for file in both.files] == [1, 0]
    assert both.score == pytest.approx(50.0)


def test_given_alarms_are_scored_without_a_sweep() -> None:
    """Alarms by a detector's own threshold give the same sum as a sweep that ends there."""
    alarm = np.zeros(200, bool)
    alarm[[50, 100]] = True
    file = scored(np.zeros(200), (100, 109))
    assert score_at([file], {"a": alarm})["standard"].raw == pytest.approx(1.0 - 0.11)
    silent = score_at([file], {"a": np.zeros(200, bool)})
    assert [each.score for each in silent.values()] == [0.0, 0.0, 0.0]


def test_refuses_scores_that_are_not_finite() -> None:
    """A NaN can't be ranked, and the message names the file."""
    with pytest.raises(ValueError, match="plant-7"):
        score_corpus([scored(np.full(100, np.nan), (50, 59), name="plant-7")])


def test_refuses_a_corpus_without_windows() -> None:
    """Without a window the scale from null to perfect has no length."""
    with pytest.raises(ValueError, match="window"):
        score_corpus([scored(np.zeros(100))])


@st.composite
def corpora(draw: st.DrawFn) -> list[Scored]:
    """One to three files with few score levels (so many ties) and two windows each."""
    files = []
    for number in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(60, 90))
        levels = draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows))
        first = draw(st.integers(15, 30))
        width = draw(st.integers(1, 12))
        windows = [(first, first + width - 1), (first + width + 5, first + width + 9)]
        files.append(scored(np.array(levels) / 4.0, *windows, name=str(number)))
    return files


@given(corpora(), st.sampled_from(PROFILES))
def test_sweep_finds_the_best_of_all_thresholds(files: list[Scored], profile: Profile) -> None:
    """The cumulative sweep agrees with scoring the alarms of every threshold one by one."""
    swept = score_corpus(files, [profile])[profile.name]
    tried = []
    for threshold in (0.0, 0.25, 0.5, 0.75, 1.0, 2.0):
        alarms = {file.name: file.score >= threshold for file in files}
        tried.append(score_at(files, alarms, [profile])[profile.name].score)
    assert swept.score == pytest.approx(max(tried))
    assert swept.score <= 100.0


@given(corpora())
def test_only_the_order_of_scores_matters(files: list[Scored]) -> None:
    """Stretching the scores changes no figure."""
    bent = [Scored(file.name, np.exp(3 * file.score), file.windows) for file in files]
    before, after = score_corpus(files, [STANDARD]), score_corpus(bent, [STANDARD])
    assert after["standard"].score == pytest.approx(before["standard"].score)
