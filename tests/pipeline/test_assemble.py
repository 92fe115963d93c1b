"""From a configuration to a pipeline that runs: paths, models that don't fit, alarms at the end."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline import assemble as assembling
from pipeline.assemble import assemble
from pipeline.assemble_model import open_engine, open_model
from pipeline.config import load_config
from pipeline.engines.base import Engine
from pipeline.errors import BundleError, EngineError, StoreError, StreamcellError
from tests.pipeline.bundles import anomaly_bundle, small_bundle

FILE = """
[[pipeline]]
name = "p"
model = "models/m.onnx"
{more}
[pipeline.source]
type = "file"
path = "in/rows.jsonl"
stream_field = "machine"
time_field = "at"
{source}
[pipeline.sink]
type = "file"
path = "out/scores.jsonl"
{sink}
{tables}
"""


class Place:
    """A folder with a configuration, its model and its rows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("models", "in", "out"):
            (folder / name).mkdir()
        anomaly_bundle(folder / "models" / "m.onnx")

    def configure(
        self, *, more: str = "", source: str = "", sink: str = "", tables: str = ""
    ) -> None:
        text = FILE.format(more=more, source=source, sink=sink, tables=tables)
        (self.folder / "p.toml").write_text(text)

    def rows(self, *values: float) -> None:
        """A row a second of one machine, ``b`` always 0."""
        lines = [
            orjson.dumps({"machine": "m1", "at": 1_700_000_000 + at, "a": value, "b": 0.0})
            for at, value in enumerate(values)
        ]
        (self.folder / "in" / "rows.jsonl").write_bytes(b"\n".join(lines) + b"\n")

    def run(self) -> None:
        """As ``streamcell run`` does."""
        (config,) = load_config(self.folder / "p.toml").pipeline
        stop = threading.Event()
        assemble(config, self.folder, stop).loop.run(stop)

    def outputs(self) -> list[dict[str, object]]:
        """What is in the sink's file."""
        lines = (self.folder / "out" / "scores.jsonl").read_bytes().splitlines()
        return [orjson.loads(line) for line in lines]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place that the process is not in: relative paths start at the file, not here."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Place(tmp_path / "there")


def test_a_pipeline_of_files_runs_where_its_configuration_lies(place: Place) -> None:
    """A score for every row, an alarm for the jump; nothing is written anywhere else."""
    place.configure()
    place.rows(*[0.0, 1.0] * 10, 500.0, *[500.0, 501.0] * 20)
    place.run()
    outputs = place.outputs()
    scores = [output for output in outputs if "score" in output]
    assert len(scores) == 61
    assert all("expected" not in output for output in scores)
    assert any(output.get("cause") == "a" for output in outputs)
    assert (place.folder / "state" / "p.sqlite").exists()
    assert not list(Path.cwd().iterdir())


def test_a_second_run_has_nothing_left_to_do(place: Place) -> None:
    """Positions and states are where the first run left them."""
    place.configure(tables='[pipeline.state]\npath = "snapshots/s.db"')
    place.rows(0.0, 1.0, 0.0)
    place.run()
    place.run()
    assert len(place.outputs()) == 3
    assert (place.folder / "snapshots" / "s.db").exists()


def test_only_events_are_written_where_only_they_are_wanted(place: Place) -> None:
    """The scores that made them are computed all the same."""
    place.configure(sink='emit = "events"')
    place.rows(*[0.0, 1.0] * 10, 500.0, *[500.0, 501.0] * 20)
    place.run()
    assert [output["state"] for output in place.outputs()] == ["open", "closed"]


def test_the_expected_values_are_added_where_they_are_wanted(place: Place) -> None:
    """The test's model expects each row to be like the one before."""
    place.configure(sink="expected = true")
    place.rows(3.0, 4.0)
    place.run()
    assert [output["expected"] for output in place.outputs()] == [[0.0, 0.0], [3.0, 0.0]]


@pytest.mark.parametrize(("late", "scored"), [("", 3), ('late = "accept"', 4)])
def test_late_rows_are_rejected_where_rows_carry_their_own_time(
    place: Place, late: str, scored: int
) -> None:
    """Unless the configuration accepts them."""
    place.configure(source=late)
    place.rows(1.0, 2.0, 3.0)
    path = place.folder / "in" / "rows.jsonl"
    path.write_bytes(path.read_bytes() + b'{"machine":"m1","at":1700000000,"a":1,"b":1}\n')
    place.run()
    assert len(place.outputs()) == scored
    dead = (place.folder / "out" / "scores.jsonl.dead").read_text()
    assert ("late" in dead) == (not late)


def problem(place: Place) -> StreamcellError:
    """What refuses the configured pipeline."""
    with pytest.raises(StreamcellError) as caught:
        place.run()
    return caught.value


def test_a_model_of_another_task_is_refused(place: Place) -> None:
    """With those that this version serves."""
    small_bundle(place.folder / "models").rename(place.folder / "models" / "m.onnx")
    place.configure()
    error = problem(place)
    assert isinstance(error, BundleError)
    assert "the task 'test' has no head in this version; it serves: anomaly" in str(error)


def test_features_that_are_not_the_models_are_told(place: Place) -> None:
    """What misses, what is unknown, and what the model has; their order does not matter."""
    place.configure(source='features = ["b", "c"]')
    error = problem(place)
    assert isinstance(error, BundleError)
    assert "(missing there: a; unknown to the model: c); the model's are: a, b" in str(error)
    place.configure(source='features = ["b", "a"]')
    (config,) = load_config(place.folder / "p.toml").pipeline
    bundle = open_model(config, place.folder).bundle
    assert bundle.manifest.name == "persistence"


def test_another_models_snapshots_are_refused_or_reset(place: Place) -> None:
    """As the configuration says."""
    place.configure()
    place.rows(5.0)
    place.run()
    anomaly_bundle(place.folder / "models" / "m.onnx", fingerprint="other")
    assert "on_model_change" in str(problem(place))
    place.configure(sink="expected = true", tables='[pipeline.state]\non_model_change = "reset"')
    place.rows(5.0, 6.0)
    place.run()
    assert place.outputs()[-1]["expected"] == [0.0, 0.0]


def test_a_device_that_is_not_there_is_refused(place: Place) -> None:
    """Before anything is connected."""
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has a CUDA build of ONNX Runtime")
    place.configure(tables='[pipeline.engine]\ndevice = "cuda"')
    place.rows(1.0)
    assert isinstance(problem(place), EngineError)
    assert not (place.folder / "out" / "scores.jsonl").exists()


def test_an_engine_is_closed_where_the_rest_fails(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory may be a GPU's."""
    closed: list[Engine] = []

    def told(*arguments: Any) -> Engine:
        engine = open_engine(*arguments)
        monkeypatch.setattr(engine, "close", lambda: closed.append(engine))
        return engine

    monkeypatch.setattr(assembling, "open_engine", told)
    place.configure(tables='[pipeline.state]\npath = "in"')  # a folder
    (config,) = load_config(place.folder / "p.toml").pipeline
    with pytest.raises(StoreError):
        assemble(config, place.folder, threading.Event())
    assert len(closed) == 1
