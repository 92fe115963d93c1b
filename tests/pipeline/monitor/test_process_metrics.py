"""What the process tells of its pipelines and its configuration."""

from __future__ import annotations

import time

import pytest
from prometheus_client import CollectorRegistry

from pipeline.monitor.members import Condition, State
from pipeline.monitor.process_metrics import PipelineStates, Reloads
from tests.pipeline.monitor.exports import member, process_exports


@pytest.mark.parametrize(
    ("state", "up"),
    [("starting", 0), ("running", 1), ("restarting", 0), ("failed", 0), ("ended", None)],
)
def test_a_pipeline_is_up_while_it_runs(state: State, up: float | None) -> None:
    """And neither up nor down when it has done all its work."""
    registry = process_exports(member("press", Condition(state)))
    assert registry.get_sample_value("streamcell_pipeline_up", {"pipeline": "press"}) == up


def test_restarts_are_those_of_each_pipeline() -> None:
    """As the process counts them, also of one that has ended."""
    members = [
        member("press", Condition(restarts=3)),
        member("hall", Condition("ended", restarts=1)),
    ]
    registry = process_exports(*members)
    for name, restarts in (("press", 3), ("hall", 1)):
        labels = {"pipeline": name}
        assert registry.get_sample_value("streamcell_pipeline_restarts_total", labels) == restarts


def test_every_scrape_asks_anew() -> None:
    """Nothing is kept from the one before."""
    members = [member("press", Condition("restarting"))]
    registry = CollectorRegistry()
    PipelineStates(lambda: members, registry)
    labels = {"pipeline": "press"}
    assert registry.get_sample_value("streamcell_pipeline_up", labels) == 0
    members[:] = [member("press", Condition("running"))]
    assert registry.get_sample_value("streamcell_pipeline_up", labels) == 1


def test_a_reload_that_failed_shows_until_one_goes_well() -> None:
    """Both are counted; the time is that of the configuration that holds."""
    registry = CollectorRegistry()
    began = time.time()
    reloads = Reloads(registry)

    def look(name: str, **labels: str) -> float:
        found = registry.get_sample_value(f"streamcell_config_{name}", labels)
        assert found is not None
        return found

    loaded = look("loaded_timestamp_seconds")
    assert began <= loaded <= time.time()
    assert look("last_reload_successful") == 1
    assert look("reloads_total", result="success") == look("reloads_total", result="failure") == 0
    reloads.read(well=False)
    assert look("last_reload_successful") == 0
    assert look("loaded_timestamp_seconds") == loaded
    reloads.read(well=True)
    assert look("last_reload_successful") == 1
    assert look("loaded_timestamp_seconds") > loaded
    assert look("reloads_total", result="success") == look("reloads_total", result="failure") == 1
