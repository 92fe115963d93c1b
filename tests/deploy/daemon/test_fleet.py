"""Several pipelines of a process: started, changed and ended, each without the others' notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.daemon import pauses
from deploy.daemon.fleet import Fleet
from pipeline.errors import BundleError, EngineError, StoreError
from pipeline.monitor.members import Member
from tests.deploy.daemon.place import Place, until
from tests.pipeline.bundles import anomaly_bundle

STATE = "state.snapshot_every_s = 0.05"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place with models for three pipelines."""
    made = Place(tmp_path)
    for name in ("press", "pump", "oven"):
        made.bundle(name)
    return made


@pytest.fixture
def fleet(place: Place) -> Iterator[Fleet]:
    """Two pipelines that run."""
    made = Fleet(place.folder)
    made.start(place.configure("press", "pump"))
    place.add("press", 4)
    place.add("pump", 4)
    place.wait("press", 4)
    place.wait("pump", 4)
    yield made
    made.stop()


def member(fleet: Fleet, name: str) -> Member:
    """One of them."""
    (found,) = (one for one in fleet.members() if one.name == name)
    return found


def test_a_reload_touches_only_what_changed(place: Place, fleet: Fleet) -> None:
    """What stays goes on with the same view; what is changed goes on where it was."""
    before = {one.name: one.view for one in fleet.members()}
    fleet.reload(place.configure("pump", "press", more={"press": STATE}))
    assert [one.name for one in fleet.members()] == ["pump", "press"]
    place.add("press", 2)
    place.wait("press", 6)
    assert member(fleet, "pump").view is before["pump"]
    assert member(fleet, "press").view is not before["press"]
    assert len(place.scores("press")) == len(set(place.scores("press"))) == 6
    assert member(fleet, "press").condition.restarts == 0


def test_pipelines_come_and_go(place: Place, fleet: Fleet) -> None:
    """What the file no longer names ends, and what it names now begins."""
    fleet.reload(place.configure("press", "oven"))
    assert [one.name for one in fleet.members()] == ["press", "oven"]
    place.add("pump", 3)
    place.add("oven", 3)
    place.wait("oven", 3)
    assert len(place.scores("pump")) == 4


def test_another_model_in_the_same_file_is_a_change(place: Place, fleet: Fleet) -> None:
    """The bundle's content counts, not its name."""
    before = member(fleet, "press").view
    (place.folder / "press.onnx").write_bytes((place.folder / "pump.onnx").read_bytes())
    fleet.reload(place.configure("press", "pump"))
    assert member(fleet, "press").view is before  # the same content is no change
    anomaly_bundle(place.folder / "press.onnx", created="2024-05-05T00:00:00Z")
    fleet.reload(place.configure("press", "pump"))
    until(lambda: member(fleet, "press").condition.state == "running", "it runs again")
    assert member(fleet, "press").view is not before


def test_a_reload_that_cannot_be_run_changes_nothing(place: Place, fleet: Fleet) -> None:
    """Not even the pipelines that could be."""
    configs = place.configure("oven", "press", more={"press": STATE})
    before = [one.view for one in fleet.members()]
    (place.folder / "oven.onnx").write_bytes(b"no model")
    with pytest.raises(BundleError, match=r"oven\.onnx"):
        fleet.reload(configs)
    with pytest.raises(EngineError):
        fleet.reload(place.configure("press", "pump", more={"pump": 'engine.device = "cuda"'}))
    anomaly_bundle(place.folder / "press.onnx", fingerprint="another")
    with pytest.raises(StoreError):
        fleet.reload(place.configure("press", "pump"))
    assert [one.name for one in fleet.members()] == ["press", "pump"]
    assert [one.view for one in fleet.members()] == before
    place.add("pump", 1)
    place.wait("pump", 5)


def test_a_pipeline_that_had_failed_is_tried_by_a_reload(place: Place, fleet: Fleet) -> None:
    """Its own pause need not be over."""
    (place.folder / "oven.onnx").unlink()
    fleet.stop()
    fleet.start(place.configure("press", "oven"))
    until(lambda: member(fleet, "oven").condition.state == "restarting", "it failed")
    place.bundle("oven")
    place.add("oven", 2)
    fleet.reload(place.configure("press", "oven"))
    place.wait("oven", 2)
    assert not fleet.over


def test_what_becomes_one_of_several_is_started_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline that ran alone before the reload is no longer alone."""
    monkeypatch.setattr(pauses, "FIRST_S", 0.05)
    fleet = Fleet(place.folder)
    fleet.start(place.configure("press"))
    try:
        place.add("press", 2)
        place.wait("press", 2)
        fleet.reload(place.configure("press", "pump"))
        (place.folder / "press.jsonl").write_bytes(b"")  # what was read of it is gone
        until(lambda: member(fleet, "press").condition.restarts >= 1, "another attempt")
    finally:
        fleet.stop()
