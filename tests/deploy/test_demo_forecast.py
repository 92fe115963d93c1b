"""``streamcell demo forecast``: from end to end as a process, and its judging piece by piece."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from rich.console import Console

from deploy.demo.counter import Counter
from deploy.demo.edges import Heard
from deploy.demo.forecast.listener import ForecastListener
from deploy.demo.forecast.sample import DAY, LOOK_BACK, MARGIN, WEEK, Sample, load_sample
from deploy.demo.forecast.streams import MOST_SIZE, TaxiStreams, make_streams
from deploy.demo.forecast.ticker import ForecastTicker
from deploy.demo.forecast.verdict import judge
from deploy.demo.show import Show
from pipeline.block import Float32, Int64
from tests.deploy.test_demo_parts import until

QUANTILES = (0.1, 0.5, 0.9)


@pytest.fixture(scope="module")
def sample() -> Sample:
    """Two weeks of the later part."""
    return load_sample(2 * WEEK)


@pytest.mark.slow  # most of it is what the first demo does
def test_the_demo_on_the_embedded_broker(tmp_path: Path) -> None:
    """Trains, exports, streams, is killed half-way, counts and judges; and takes all with it."""
    folder, streams, rows = tmp_path / "out", 4, 60
    short = ["--streams", str(streams), "--rows", str(rows), "--epochs", "1", "--rate", "700"]
    command = [sys.executable, "-m", "deploy", "demo", "forecast", "--out", str(folder), *short]
    done = subprocess.run(
        [*command, "--crash"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    numbers: dict[str, Any] = orjson.loads((folder / "demo.json").read_bytes())
    counts = numbers["counts"]
    played = streams * (LOOK_BACK + rows)
    assert (counts["rows_sent"], counts["rows_answered"]) == (played, played)
    assert (counts["lost"], counts["doubled"], counts["stray"]) == (0, 0, 0)
    assert (counts["planted"], counts["dead_letters"]) == (24, 24)
    assert numbers["verdict"]["good"]
    assert [one["horizon"] for one in numbers["details"]["horizons"]] == [1, 6, 24, 48]
    for one in numbers["details"]["horizons"]:
        assert one["forecasts"] == streams * (rows - one["horizon"])
        assert 0 < one["model"]["pinball"] < one["model"]["mae"] < 1
        assert 0 < one["coverage"] <= 1
    for name in ("demo.html", "report.html", "taxi-demand.onnx"):
        assert (folder / name).stat().st_size > 1000, name
    config = tomllib.loads((folder / "pipeline.toml").read_text())["pipeline"][0]
    assert config["sink"]["topic"] == "taxi-forecasts"
    for words in ("foreseen 24 hours before", "Forecasts against what came", "seasonal naive"):
        assert words in done.stdout


def test_sample_is_split_in_time(sample: Sample) -> None:
    """Training ends a whole number of days in; the later part brings the week before with it."""
    assert len(sample.train) % DAY == 0
    assert sample.rows == 2 * WEEK
    start = sample.around.times[WEEK + LOOK_BACK + MARGIN]
    assert start == sample.train.times[-1] + 1_800_000_000
    assert (np.diff(sample.around.times) == 1_800_000_000).all()
    assert load_sample(10**6).rows > 8 * WEEK


def test_streams_are_repeatable_and_keep_their_days(sample: Sample) -> None:
    """Copies differ in size, but not in when a day is; the real series is as it is."""
    streams = make_streams(sample, 30, seed=1)
    again, other = make_streams(sample, 30, seed=1), make_streams(sample, 30, seed=2)
    assert np.array_equal(streams.values, again.values)
    assert not np.array_equal(streams.values, other.values)
    real = sample.around.values[MARGIN:-MARGIN, 0]
    whole = np.concatenate([streams.before, streams.values])[:, 0]
    np.testing.assert_allclose(whole, real, atol=1e-3)
    assert len(set(streams.keys)) == len(streams) == 30
    sizes = streams.values.mean(axis=0) / streams.values[:, 0].mean()
    assert 0.01 < sizes.min() < 0.2
    assert 0.7 < sizes.max() < 1.1 * MOST_SIZE
    for number in range(1, 30):
        assert np.corrcoef(streams.values[:, 0], streams.values[:, number])[0, 1] > 0.85


def ramp(rows: int) -> TaxiStreams:
    """Two streams that rise by one and by two a row."""
    values = np.arange(-WEEK, rows, dtype=np.float32)[:, None] * np.array([1.0, 2.0], np.float32)
    values += 1000
    times: Int64 = np.arange(rows, dtype=np.int64) * 1_800_000_000
    return TaxiStreams("demand", (b"real", b"b"), times, values[WEEK:], values[:WEEK])


def forecasts(streams: TaxiStreams, horizon: int, spread: float) -> Float32:
    """Perfect ones [S, T, 1, 3] with quantiles ``spread`` to each side."""
    rows = streams.rows
    kept = np.full((2, rows, 1, 3), np.nan, np.float32)
    truth = streams.values[horizon:].T[:, :, None]
    kept[:, : rows - horizon, 0] = truth + spread * np.array([-1.0, 0.0, 1.0], np.float32)
    return kept


def test_judging_against_what_came() -> None:
    """A perfect median costs only its spread; the trivial forecasts are off by what they are."""
    streams = ramp(100)
    (found,) = judge(streams, forecasts(streams, 6, 10.0), (6,), QUANTILES, settling=20)
    means = streams.values.mean(axis=0)
    assert found.forecasts == 2 * (100 - 20 - 6)
    assert found.coverage == 1.0
    assert found.model.mae == 0.0
    assert found.model.pinball == pytest.approx(((2 / 3) / means).mean(), rel=1e-5)
    assert found.persistence.mae == pytest.approx((np.array([6, 12]) / means).mean(), rel=1e-5)
    assert found.seasonal.mae == pytest.approx((np.array([336, 672]) / means).mean(), rel=1e-5)
    assert found.seasonal.pinball == pytest.approx(found.seasonal.mae / 2, rel=1e-5)


def test_judging_leaves_out_what_cannot_be_judged() -> None:
    """Lost forecasts, and horizons beyond the last row."""
    streams = ramp(100)
    kept = forecasts(streams, 6, 10.0)
    kept[0, 50] = np.nan
    (found,) = judge(streams, kept, (6,), QUANTILES, settling=20)
    assert found.forecasts == 2 * (100 - 20 - 6) - 1
    assert judge(streams, kept, (6,), QUANTILES, settling=96) == []
    assert judge(streams, np.full_like(kept, np.nan), (6,), QUANTILES, settling=20) == []


class Told:
    """A tail that hands over prepared outputs once."""

    def __init__(self, outputs: list[bytes]) -> None:
        self._outputs = outputs

    def poll(self, timeout_s: float) -> Heard:
        outputs, self._outputs = self._outputs, []
        return Heard(outputs)

    def numbers(self, offsets: Int64) -> Int64:
        return offsets

    def at_end(self) -> bool:
        return not self._outputs

    def close(self) -> None:
        pass


def test_forecasts_are_kept_and_told_when_their_truth_comes() -> None:
    """All horizons of the real series, some of the others; a line says what had been foreseen."""
    streams = ramp(LOOK_BACK + 10)
    rows = range(LOOK_BACK, LOOK_BACK + 10)
    outputs = [
        orjson.dumps(
            {
                "id": f"taxi-rows-{number}-{row - LOOK_BACK}-0",
                "type": "forecast",
                "stream": name,
                "time": str(np.datetime64(int(streams.times[row]), "us")) + "Z",
                "forecast": [[[1000.0 + row, 1402.0, 1409.0]]] * 2,
            }
        )
        for row in rows
        for number, name in enumerate(("real", "b"))
    ]
    counter = Counter(2, 10)
    for partition in range(2):
        counter.sent(partition, 10, 0.0)
    listener = ForecastListener(
        Told(outputs), counter, streams, horizons=2, quantiles=3, places=[1]
    )
    listener.start()
    until(lambda: counter.answered_rows == 20, "all are heard")
    assert listener.finish(10)
    assert listener.failure is None
    assert listener.real.shape == (LOOK_BACK + 10, 2, 3)
    assert listener.kept[1, LOOK_BACK + 4, 0].tolist() == [1388.0, 1402.0, 1409.0]
    console = Console(record=True, width=200)
    ticker = ForecastTicker(Show(console, 1), streams, listener, (1, 3))
    ticker.tell()
    ticker.summary()
    text = console.export_text()
    assert (
        "1393.00 thousand passengers; foreseen 1.5 hours before: 1402.00 (1390.00 to 1409.00)"
        in text
    )
    assert "7 of 7 rows lay in the band" in text
