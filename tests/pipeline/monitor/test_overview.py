"""What the overview gets of each pipeline: first everything that is kept, then what is new."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from pipeline.logs import MAX_TOLD
from pipeline.monitor.health import Vitals
from pipeline.monitor.live import LiveView
from pipeline.monitor.members import Condition, Member
from pipeline.monitor.overview import Overview, crew
from tests.pipeline.monitor.conftest import TOKEN, Site
from tests.pipeline.monitor.plant import FEATURES, Plant, fill
from tests.pipeline.monitor.test_server import viewer
from tests.pipeline.monitor.works import (
    DOORS,
    FAILURE,
    HALL,
    PRESSES,
    RIVERS,
    Works,
    doors,
    hall,
    presses,
    rivers,
)


@pytest.fixture(scope="module")
def filled() -> Works:
    """Four pipelines of four tasks with some seconds behind them, that stand still."""
    made = Works([presses(40), hall(), rivers(), doors()], TOKEN)
    made.fill(4)
    return made


def read(overview: Overview) -> dict[str, Any]:
    """The next message by the pipelines' names, as a viewer reads it."""
    told = orjson.loads(orjson.dumps(overview.changes(), option=orjson.OPT_SERIALIZE_NUMPY))
    return {card["name"]: card for card in told["pipelines"]}


def test_each_pipeline_tells_what_its_task_counts(filled: Works) -> None:
    """Rows second by second for all; alarms, words, shares in the band and people for their own."""
    cards = read(Overview(filled.members))
    assert list(cards) == [PRESSES, HALL, RIVERS, DOORS]
    views = {name: card["view"] for name, card in cards.items()}
    for view in views.values():
        assert view["first"] is True
        assert sum(view["seconds"]["rows"]) > 20
        assert {"from", "rows", "rejects", "events", "p99"} == set(view["seconds"])
    assert views[PRESSES]["status"]["live_streams"] == 40
    assert views[PRESSES]["open_alarms"] == sum(
        alarm["end"] is None for alarm in views[PRESSES]["alarms"]
    )
    assert views[HALL]["speech"]["form"] == "words"
    assert 0.5 < views[RIVERS]["in_band"] < 1
    assert views[DOORS]["sights"]["cameras"] == 2
    assert views[DOORS]["sights"]["entered"] > 0
    assert len(orjson.dumps(cards)) < 150_000


def test_a_second_look_brings_only_what_is_new() -> None:
    """Rows are told once; all of them together are the whole."""
    works = Works([presses(10)], TOKEN)
    clock = 1_700_000_000.0
    view = works[PRESSES].view
    view._clock = lambda: clock
    overview, rows = Overview(works.members), 0
    for _ in range(4):
        works[PRESSES].step(clock)
        clock += 1.5
        rows += sum(read(overview)[PRESSES]["view"]["seconds"]["rows"])
    assert rows == 40
    assert read(overview)[PRESSES]["view"]["first"] is False


def test_a_pipeline_that_began_anew_is_told_from_its_first_row(filled: Works) -> None:
    """Another view is another boot; a pipeline without one has a card all the same."""
    views = [presses(5).view, presses(6).view]
    member = Member(PRESSES, filled[PRESSES].vitals, view=views[0])
    members = [member]
    overview = Overview(lambda: members)
    boot = read(overview)[PRESSES]["view"]["boot"]
    members[0] = Member(
        PRESSES, filled[PRESSES].vitals, condition=Condition("restarting", FAILURE, 2, 7.25)
    )
    card = read(overview)[PRESSES]
    assert "view" not in card
    assert (card["state"], card["failure"], card["restarts"]) == ("restarting", FAILURE, 2)
    assert card["retry_s"] == pytest.approx(7.2, abs=0.1)
    members[0] = Member(PRESSES, filled[PRESSES].vitals, condition=Condition("failed", "x" * 9999))
    assert len(read(overview)[PRESSES]["failure"]) == MAX_TOLD
    members[0] = Member(PRESSES, filled[PRESSES].vitals, view=views[1])
    again = read(overview)[PRESSES]["view"]
    assert again["first"] is True
    assert again["boot"] != boot


def test_pipelines_come_and_go_with_the_configuration(filled: Works) -> None:
    """A new one is told in full, one that is gone no more."""
    members = filled.members()[:1]
    overview = Overview(lambda: members)
    assert list(read(overview)) == [PRESSES]
    members = filled.members()[1:3]
    cards = read(overview)
    assert list(cards) == [HALL, RIVERS]
    assert all(card["view"]["first"] for card in cards.values())
    members = filled.members()
    assert read(overview)[PRESSES]["view"]["first"] is True


def test_why_a_pipeline_is_not_ready_is_told(filled: Works) -> None:
    """What it waits for, and a loop that hangs."""
    vitals = filled[HALL].vitals
    vitals.wait("source", "no broker answers")
    try:
        card = read(Overview(filled.members))[HALL]
    finally:
        vitals.done("source")
    assert card["waiting"] == ["source: no broker answers"]
    assert card["loop"] == "running"
    assert card["recovery"] == 1.0


def test_alarms_are_counted_as_open_until_they_close() -> None:
    """Without anybody looking at the pipeline itself."""
    view = LiveView("line", FEATURES, budget=1e9)
    plant = Plant(40)
    fill(view, plant, 1_700_000_000.0, 2)
    plant._fault_until[3] = 1_700_000_004.0
    open_alarms = []
    overview = Overview(lambda: [Member("line", Vitals(), view=view)])
    for moment in np.arange(1_700_000_000.0, 1_700_000_008.0, 0.5):
        view.observe(*plant.step(float(moment)))
        open_alarms.append(read(overview)["line"]["view"]["open_alarms"])
    assert max(open_alarms) >= 1
    assert open_alarms[-1] == 0


def test_the_overview_is_streamed_to_who_has_the_token(site: Site) -> None:
    """As events of their own, until the server leaves."""
    assert site.get("/live?overview=yes").status == 401
    with viewer(site, "/live?overview=yes") as seen:
        lines = (line.strip() for line in seen.lines())
        assert "event: overview" in lines
        told = orjson.loads(next(line for line in lines if line.startswith("data: "))[6:])
        assert [card["name"] for card in told["pipelines"]] == ["line"]
        assert told["pipelines"][0]["view"]["status"]["live_streams"] == 40
        site.monitor.stop()
        assert "event: bye" in lines


def test_what_is_told_beside_a_pipeline_is_small(filled: Works) -> None:
    """The list of all pipelines comes with every message."""
    told = crew(filled.members())["pipelines"]
    assert [(one["name"], one["loop"]) for one in told] == [
        (name, "running") for name in (PRESSES, HALL, RIVERS, DOORS)
    ]
    assert len(orjson.dumps(told)) < 1000
