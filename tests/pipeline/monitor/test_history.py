"""Ten minutes of throughput, second by second."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.monitor.history import SECONDS, History


def test_seconds_add_up_and_quiet_ones_are_zero() -> None:
    """Counts of one second are summed; a second without any is there as zero."""
    history = History()
    history.add(100, rows=5, batches=1)
    history.add(100, rows=7, batches=1, events=2)
    history.add(102, rejects=3)
    read = history.read(100, 104)
    assert read["from"] == 100
    assert read["rows"].tolist() == [12, 0, 0, 0]
    assert read["batches"].tolist() == [2, 0, 0, 0]
    assert read["events"].tolist() == [2, 0, 0, 0]
    assert read["rejects"].tolist() == [0, 0, 3, 0]


def test_only_the_last_ten_minutes_are_kept() -> None:
    """An entry is overwritten by the one ten minutes later, and never shown in its place."""
    history = History()
    history.add(100, rows=5)
    history.add(100 + SECONDS, rows=9)
    read = history.read(0, 101 + SECONDS)
    assert read["from"] == 101
    assert len(read["rows"]) == SECONDS
    assert read["rows"].sum() == 9
    assert history.read(0, 101 + 3 * SECONDS)["rows"].sum() == 0


def test_a_reader_who_is_up_to_date_gets_nothing() -> None:
    """The cursor equals the present second."""
    assert len(History().read(50, 50)["rows"]) == 0


def test_percentiles_are_near_the_true_ones() -> None:
    """Within one bin of 12 %, over several additions; NaN where nothing was delivered."""
    history = History()
    values = np.random.default_rng(2).lognormal(-5, 1, 20_000)
    for part in np.split(values, 20):
        history.add_latency(100, part)
    read = history.read(100, 102)
    assert read["p50"][0] == pytest.approx(np.quantile(values, 0.50) * 1e3, rel=0.13)
    assert read["p99"][0] == pytest.approx(np.quantile(values, 0.99) * 1e3, rel=0.13)
    assert np.isnan(read["p50"][1])


def test_latencies_beyond_the_scale_are_at_its_ends() -> None:
    """Nothing is lost at 0 or at an hour."""
    history = History()
    history.add_latency(100, np.array([0.0, 3600.0]))
    read = history.read(100, 101)
    assert read["p50"][0] == pytest.approx(0.1)
    assert read["p99"][0] == pytest.approx(100_000)


def test_lag_and_streams_are_those_told_last_in_a_second() -> None:
    """NaN in a second in which nothing was told, also where the ring held an older one."""
    history = History()
    history.gauge(100, 5, 3)
    history.gauge(100, 7, 4)
    history.gauge(101, 9, 9)
    history.gauge(100 + SECONDS, 2, 1)
    history.add(101 + SECONDS, rows=1)
    read = history.read(99 + SECONDS, 102 + SECONDS)
    assert np.array_equal(read["lag"], [np.nan, 2, np.nan], equal_nan=True)
    assert np.array_equal(read["live"], [np.nan, 1, np.nan], equal_nan=True)
    history = History()
    history.gauge(100, 5, 3)
    history.gauge(100, 7, 4)
    assert history.read(100, 101)["lag"].tolist() == [7]
