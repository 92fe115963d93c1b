"""Frames from their sources through the whole pipeline, and what does not fit together."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest

from pipeline.assemble import assemble
from pipeline.config import load_config
from pipeline.config_tracking import TrackingConfig
from pipeline.detect.base import Detections, Picture
from pipeline.errors import BundleError, ConfigError, StoreError, StreamcellError
from pipeline.tracking.params import TrackingParams
from pipeline.video.shot import Shot
from tests.pipeline.bundles import anomaly_bundle
from tests.pipeline.tracking.bundles import motion_bundle
from tests.pipeline.video.clips import clip

FILE = """
[[pipeline]]
name = "p"
model = "{model}"
[pipeline.source]
{source}
{more}
[pipeline.sink]
type = "file"
path = "out.jsonl"
emit = "{emit}"
"""
FILM = """type = "cameras"
pace = "all"
[[pipeline.source.camera]]
name = "hall"
url = "hall.mp4"
"""
READINGS = 'type = "file"\npath = "rows.jsonl"'
FRAMES = 30
SIZE = (320, 240)


def configured(
    folder: Path, source: str = FILM, more: str = "", model: str = "m.onnx", emit: str = "all"
) -> Path:
    """A configuration beside its model."""
    if model == "m.onnx" and not (folder / model).exists():
        motion_bundle(folder, "constant_velocity").rename(folder / model)
    path = folder / "p.toml"
    path.write_text(FILE.format(model=model, source=source, more=more, emit=emit))
    return path


def film(folder: Path) -> None:
    """A bright person walks from left to right over a dark picture."""
    pictures = []
    for number in range(FRAMES):
        picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        left = 20 + 8 * number
        picture[80:160, left : left + 32] = 250
        pictures.append(picture)
    (folder / "hall.mp4").write_bytes(clip(pictures))


class Bright:
    """Finds what is bright: one box around it. Stands for a detector of people."""

    name, device, appearance = "bright", "cpu", 0

    def detect(self, pictures: Sequence[Picture], cameras: Sequence[str]) -> list[Detections]:
        found = []
        for picture in pictures:
            rows, columns = np.nonzero(picture[:, :, 0] > 128)
            left, top = columns.min(), rows.min()
            box = [left, top, columns.max() + 1 - left, rows.max() + 1 - top]
            found.append(
                Detections(
                    np.array([box], np.float32),
                    np.array([0.9], np.float32),
                    np.zeros((1, 0), np.float32),
                )
            )
        return found

    def close(self) -> None:
        pass


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector is exchanged: what it finds is known."""
    monkeypatch.setattr("pipeline.assemble_edges.make_detector", lambda *_, **__: Bright())


def run(path: Path, **given: object) -> list[dict[str, object]]:
    """What a run to the source's end puts out."""
    pipeline = load_config(path).pipeline[0]
    assemble(pipeline, path.parent, threading.Event(), **given).loop.run(threading.Event())  # type: ignore[arg-type]
    return [orjson.loads(line) for line in (path.parent / "out.jsonl").read_bytes().splitlines()]


LINE = """[[pipeline.tracking.line]]
name = "door"
start = [0.5, 0.0]
end = [0.5, 1.0]
"""


@pytest.mark.usefixtures("bright")
def test_a_video_becomes_tracks_and_events(tmp_path: Path) -> None:
    """Every frame from the third on has its track; who crossed the line is told once."""
    film(tmp_path)
    seen: list[int] = []

    def witness(shots: Sequence[Shot], found: Sequence[Detections]) -> None:
        assert len(shots) == len(found)
        seen.extend(shot.number for shot in shots)

    records = run(configured(tmp_path, more=LINE), witness=witness)
    kinds = Counter(record["type"] for record in records)
    assert kinds == {"track": FRAMES - 2, "enter": 1, "cross": 1, "leave": 1}
    assert seen == list(range(FRAMES))
    assert len({record["id"] for record in records if record["type"] == "track"}) == FRAMES - 2
    assert {record["stream"] for record in records} == {"hall"}
    assert {record["track"] for record in records} == {1}
    last = [record for record in records if record["type"] == "track"][-1]
    assert last["frame"] == FRAMES - 1
    assert last["left"] == pytest.approx(20 + 8 * (FRAMES - 1), abs=3)


@pytest.mark.usefixtures("bright")
def test_only_events_where_only_they_are_wanted(tmp_path: Path) -> None:
    """For who counts people and keeps no paths."""
    film(tmp_path)
    records = run(configured(tmp_path, emit="events"))
    assert [record["type"] for record in records] == ["enter", "leave"]


@pytest.mark.usefixtures("bright")
def test_other_places_for_tracks_are_another_layout(tmp_path: Path) -> None:
    """Saved states don't fit it: an error that says what to do, and `reset` does it."""
    film(tmp_path)
    run(configured(tmp_path))
    fewer = "[pipeline.tracking]\nmax_tracks = 5\n"
    with pytest.raises(StoreError, match="on_model_change"):
        run(configured(tmp_path, more=fewer))
    anew = fewer + '[pipeline.state]\non_model_change = "reset"\n'
    assert run(configured(tmp_path, more=anew))


def test_detections_of_mot_files_become_tracks(tmp_path: Path) -> None:
    """Without a camera or a detector; a second run goes on after the end, and finds nothing."""
    lines = [f"{at},-1,{20 + 8 * at},80,32,80,0.9" for at in range(1, FRAMES + 1)]
    (tmp_path / "hall.txt").write_text("\n".join([*lines, "nonsense"]))
    source = 'type = "detections"\npath = "hall.txt"\nframe_rate = 25.0'
    records = run(configured(tmp_path, source=source))
    kinds = Counter(record["type"] for record in records)
    assert kinds == {"track": FRAMES - 2, "enter": 1, "leave": 1}
    assert len((tmp_path / "out.jsonl.dead").read_bytes().splitlines()) == 1
    assert run(configured(tmp_path, source=source)) == records


def refusal(path: Path) -> str:
    """The error of a configuration that can't run."""
    with pytest.raises(StreamcellError) as caught:
        assemble(load_config(path).pipeline[0], path.parent, threading.Event())
    assert isinstance(caught.value, BundleError | ConfigError)
    return str(caught.value)


def test_a_tracking_model_needs_frames(tmp_path: Path) -> None:
    """And says where they come from."""
    message = refusal(configured(tmp_path, source=READINGS))
    assert 'type = "cameras"' in message
    assert 'payload = "detections"' in message


def test_frames_need_a_tracking_model(tmp_path: Path) -> None:
    """Not one of readings."""
    film(tmp_path)
    name = anomaly_bundle(tmp_path / "other.onnx").name
    assert "'anomaly'" in refusal(configured(tmp_path, model=name))


@pytest.mark.usefixtures("bright")
def test_appearance_must_be_as_long_as_the_rows_have_room(tmp_path: Path) -> None:
    """The layout of the state is the configuration's, whatever a model file says today."""
    film(tmp_path)
    message = refusal(configured(tmp_path, more="[pipeline.tracking]\nappearance = 8\n"))
    assert "tracking.appearance is 8" in message
    assert "vectors of 0" in message


def test_every_parameter_of_a_bundle_can_be_set_anew() -> None:
    """And nothing is set where the file is silent."""
    table = TrackingConfig()
    assert {getattr(table, name) for name in TrackingParams.model_fields} == {None}


def test_thresholds_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """Those of the file with those of the bundle."""
    film(tmp_path)
    message = refusal(configured(tmp_path, more="[pipeline.tracking]\nconfident = 0.05\n"))
    assert "must rise" in message


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (FILM.replace("hall.mp4", "away.mp4"), "away.mp4"),
        (FILM + '[[pipeline.source.camera]]\nname = "hall"\nurl = "b.mp4"\n', "same name: hall"),
    ],
    ids=["no such file", "two of one name"],
)
def test_cameras_that_can_not_be(tmp_path: Path, source: str, problem: str) -> None:
    """Told before anything runs, or at the start."""
    with pytest.raises(StreamcellError, match=problem):
        run(configured(tmp_path, source=source))
