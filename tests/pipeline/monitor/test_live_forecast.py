"""What the live page is told of a forecast pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest

from pipeline.monitor.cursor import Cursor
from pipeline.monitor.history import SECONDS
from pipeline.monitor.live import LOOK_BYTES, LiveView
from pipeline.monitor.outlook import Outlook
from pipeline.monitor.quality import Quality
from tests.pipeline.monitor.gauges import FEATURES, STEP_S, Gauges, head, view_of


@pytest.fixture
def gauges() -> Gauges:
    """Three streams."""
    return Gauges(3)


def told(view: LiveView, cursor: Cursor, focus: str | None = None) -> dict[str, Any]:
    """A message as the browser gets it."""
    found = orjson.dumps(view.changes(cursor, focus), option=orjson.OPT_SERIALIZE_NUMPY)
    return orjson.loads(found)  # type: ignore[no-any-return]  # a JSON object


def test_the_first_message_says_what_is_foreseen(gauges: Gauges) -> None:
    """Targets by their place, the quantiles shown, and the horizons that are scored."""
    view = view_of()
    view.observe(*gauges.step())
    assert told(view, Cursor())["forecast"] == {
        "targets": [0],
        "quantiles": [0.1, 0.5, 0.9],
        "scored": [1, 24, 48],
        "interval_s": STEP_S,
    }
    assert told(LiveView("line", FEATURES), Cursor())["forecast"] is None


def test_the_focus_has_the_latest_forecast_once(gauges: Gauges) -> None:
    """With its times and quantiles; again only when a later row brought another."""
    view, cursor = view_of(), Cursor()
    for _ in range(5):
        batch, (record,) = gauges.step()
        view.observe(batch, [record])
    ahead = told(view, cursor, "gauge-02")["focus"]["ahead"]
    assert ahead["from"] * 1000 == record.time[1]
    assert ahead["t"] == (record.columns["times"][1] // 1000).tolist()
    assert ahead["steps"] == list(range(1, 49))
    np.testing.assert_allclose(ahead["q"], record.columns["forecast"][1].transpose(1, 0, 2))
    assert "ahead" not in told(view, cursor, "gauge-02")["focus"]
    view.observe(*gauges.step())
    later = told(view, cursor, "gauge-02")["focus"]["ahead"]
    assert later["from"] == ahead["from"] + STEP_S * 1000
    assert told(view, cursor, "gauge-01")["focus"]["reset"] is True
    assert "ahead" in told(view, Cursor(), "gauge-01")["focus"]


def test_points_carry_what_was_foreseen_for_them(gauges: Gauges) -> None:
    """Median and band of the shortest scored horizon; nothing for what is no target."""
    view = view_of()
    records = [gauges.step() for _ in range(4)]
    for batch, some in records:
        view.observe(batch, some)
    focus = told(view, Cursor(), "gauge-01")["focus"]
    before = records[2][1][0].columns["forecast"][0, 0, 0]
    shown = [focus["l"][3][0], focus["e"][3][0], focus["u"][3][0]]
    np.testing.assert_allclose(shown, before, rtol=1e-6)
    assert focus["e"][0] == [None, None]
    assert [row[1] for row in focus["u"]] == [None] * 4


def test_one_batch_after_another_is_looked_through_together(gauges: Gauges) -> None:
    """The forecast shown is the last row's, wherever in the waiting batches it lies."""
    view = view_of()
    view.observe(*gauges.step())
    view.changes(Cursor())  # all three are watched now
    view._next_look_s = float("inf")
    steps = [gauges.step() for _ in range(3)]
    for number, (batch, some) in enumerate(steps):
        rows = np.array([0, 2] if number == 2 else [0, 1, 2])
        view.observe(batch.rows(rows), [record.rows(rows) for record in some])
    for key, last in (("gauge-01", 2), ("gauge-02", 1), ("gauge-03", 2)):
        found = told(view, Cursor(), key)["focus"]["ahead"]
        assert found["from"] * 1000 == steps[last][0].time[0], key


def test_wide_forecasts_do_not_pile_up(gauges: Gauges) -> None:
    """However many horizons: what waits to be looked through is bounded in bytes."""
    view = view_of()
    view._next_look_s = float("inf")
    batch, (record,) = gauges.step()
    wide = np.zeros((3, LOOK_BYTES // 64, 1, 3), np.float32)
    wide = np.broadcast_to(wide[:1, :48], (3, 48, 1, 3))
    record.columns["forecast"] = wide
    most = 0
    for _ in range(20):
        record.columns["padding"] = np.broadcast_to(np.float32(0), (3, LOOK_BYTES // 30))
        view.observe(batch, [record])
        most = max(most, len(view._pending))
    assert 0 < most < 4


def test_quality_is_summed_second_by_second(gauges: Gauges) -> None:
    """Over all streams, live rows only; as many seconds as the counts beside them."""
    quality = Quality((1, 24, 48))
    records = [gauges.step()[1][0] for _ in range(90)]
    for record in records:
        quality.add(100, record)
    record = records[-1]
    quality.add(101, record)
    quality.add(101, record.rows(np.zeros(0, np.int64)))
    replayed = record.rows(np.arange(3))
    replayed.live[:] = False
    quality.add(101, replayed)
    found = quality.read(99, 103)
    assert {name: sums.shape for name, sums in found.items()} == dict.fromkeys(
        ("scores", "pinball", "covered"), (3, 4)
    )
    assert found["scores"][:, 2].tolist() == [3.0, 3.0, 3.0]
    pinball = np.stack([one.columns["pinball"] for one in records])
    np.testing.assert_allclose(found["pinball"][:, 1], np.nansum(pinball, axis=(0, 1)), rtol=1e-5)
    assert found["scores"][:, 1].tolist() == np.isfinite(pinball).sum(axis=(0, 1)).tolist()
    assert (found["covered"] <= found["scores"]).all()
    assert quality.read(101 + SECONDS, 102 + SECONDS)["scores"].sum() == 0


def test_a_message_has_as_many_scores_as_seconds(gauges: Gauges) -> None:
    """Nothing is told twice, nothing left out."""
    ticks = itertools.count(1_700_000_000)
    now: list[float] = [float(next(ticks))]
    clock: Callable[[], float] = lambda: now[0]  # noqa: E731  # a clock moved by hand
    outlook = Outlook(head().params, FEATURES, STEP_S)
    view, cursor = LiveView("r", FEATURES, clock=clock, budget=1e9, outlook=outlook), Cursor()
    total = 0.0
    for _ in range(70):
        view.observe(*gauges.step())
        now[0] = float(next(ticks))
        seconds = told(view, cursor)["seconds"]
        assert {len(one) for one in seconds["scores"]} == {len(seconds["rows"])}
        total += sum(seconds["scores"][0])
    assert total == 3 * (70 - 32)


def test_a_single_quantile_is_shown_without_a_band() -> None:
    """Low, middle and high are the same."""
    params = head().params.model_copy(update={"quantiles": (0.5,)})
    outlook = Outlook(params, FEATURES, STEP_S)
    assert outlook.facts["quantiles"] == [0.5, 0.5, 0.5]
    median, band = outlook.expected(np.full((2, 1, 1), 7.0, np.float32), 2)
    assert median[:, 0].tolist() == [7.0, 7.0]
    assert band[:, 0].tolist() == [[7.0, 7.0]] * 2
    assert np.isnan(median[:, 1]).all()
