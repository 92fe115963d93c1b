"""Cameras from their configuration: addresses, secrets, mistakes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from pipeline.assemble_video import cameras_source
from pipeline.config import PipelineConfig, load_config
from pipeline.config_tracking import CamerasSourceConfig
from pipeline.errors import ConfigError, SourceError
from pipeline.metrics import Metrics
from pipeline.monitor.health import Vitals
from pipeline.sources.base import Source
from pipeline.tracking.frames import Layout
from tests.pipeline.sources.rigs import Desk
from tests.pipeline.video.clips import write_clip
from tests.pipeline.video.rig import Blind
from tests.pipeline.video.servers import free_port

HEAD = """
[[pipeline]]
name = "p"
model = "m.onnx"
sink = { type = "console" }
"""


def load(folder: Path, source: str) -> tuple[PipelineConfig, CamerasSourceConfig]:
    """The pipeline and its source."""
    path = folder / "p.toml"
    path.write_text(f'{HEAD}[pipeline.source]\ntype = "cameras"\n{source}', encoding="utf-8")
    config = load_config(path).pipeline[0]
    assert isinstance(config.source, CamerasSourceConfig)
    return config, config.source


def camera(**keys: str) -> str:
    """One camera's table."""
    lines = "\n".join(f'{key} = "{value}"' for key, value in keys.items())
    return f"[[pipeline.source.camera]]\n{lines}\n"


def assemble(folder: Path, source: str, metrics: Metrics, layout: Layout | None = None) -> Source:
    """The source."""
    config, cameras = load(folder, source)
    layout = layout or Layout(4)
    return cameras_source(config, cameras, layout, Blind(), folder, metrics, Vitals())


def test_files_lie_beside_the_configuration(tmp_path: Path) -> None:
    """All their frames come, and the metrics tell of the cameras."""
    write_clip(tmp_path / "a.mp4", 20)
    metrics = Metrics("p")
    cameras = camera(name="gate", url="a.mp4")
    source = assemble(tmp_path, f'pace = "all"\nmax_fps = 12.5\n{cameras}', metrics)
    source.open(Desk())
    labels = {"pipeline": "p", "camera": "gate"}
    assert metrics.registry.get_sample_value("streamcell_camera_up", labels) == 1
    rows = 0
    while not source.finished():
        rows += sum(map(len, source.poll(1).blocks))
    source.close()
    assert rows == 10 + 1  # half of the frames, and the end
    labels = {"pipeline": "p", "cause": "camera_rate"}
    assert metrics.registry.get_sample_value("streamcell_input_dropped_rows_total", labels) == 10


def test_an_address_may_be_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the environment has it."""
    secret = camera(name="gate", url_env="GATE_URL")
    with pytest.raises(ConfigError, match="the environment variable GATE_URL is not set"):
        load(tmp_path, secret)
    monkeypatch.setenv("GATE_URL", "rtsp://me:hush@host/a")
    _, source = load(tmp_path, secret)
    assert source.camera[0].address == "rtsp://me:hush@host/a"
    assert "hush" not in repr(source)
    monkeypatch.setenv("GATE_URL", "rdp://me:hush@host/a")
    with pytest.raises(ConfigError, match="rdp:// is no protocol of cameras") as error:
        load(tmp_path, secret)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "camera: Field required"),
        (camera(name="a"), "take one of url and url_env"),
        (camera(name="a", url="a.mp4", url_env="B"), "take one of url and url_env"),
        (camera(name="a", url="ftp://a"), "ftp:// is no protocol of cameras"),
        (camera(name="a b", url="a.mp4"), "name: String should match"),
        (camera(name="a", url="x") + camera(name="a", url="y"), "two cameras have the same name"),
        ('pace = "all"\n' + camera(name="a", url="rtsp://a"), 'pace "all" is for files: a can'),
        ('pace = "all"\n' + camera(name="a", url="/dev/video0"), 'pace "all" is for files'),
        ("stall_s = 0\n" + camera(name="a", url="x"), "stall_s: Input should be greater than 0"),
    ],
)
def test_mistakes_are_told_before_anything_starts(
    tmp_path: Path, source: str, problem: str
) -> None:
    """By loading the file."""
    with pytest.raises(ConfigError, match=problem):
        load(tmp_path, source)


def test_the_detector_must_make_what_the_rows_hold(tmp_path: Path) -> None:
    """Appearance vectors of one length."""
    with pytest.raises(ConfigError, match=r"tracking\.appearance is 8, the detector blind makes"):
        assemble(tmp_path, camera(name="a", url="a.mp4"), Metrics("p"), Layout(4, 8))


def test_a_missing_library_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which extra has it."""
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SourceError, match=r"streamcell\[camera\]"):
        assemble(tmp_path, camera(name="a", url="a.mp4"), Metrics("p"))


def test_a_camera_that_is_away_is_told_after_the_tracks_gap(tmp_path: Path) -> None:
    """`tracking.max_gap_s`."""
    cameras = camera(name="gate", url=f"http://127.0.0.1:{free_port()}/a")
    gap = "[pipeline.tracking]\nmax_gap_s = 0.2\n"
    source = assemble(tmp_path, cameras + gap, Metrics("p"))
    source.open(Desk())
    deadline = time.monotonic() + 4  # less than the gap without a setting
    while not (blocks := source.poll(0.05).blocks):
        assert time.monotonic() < deadline
    source.close()
    assert Layout(4).frame(blocks[0].values[0]).size == (0, 0)


def test_mistyped_addresses_are_told_by_their_cameras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, and none of what they hold."""
    monkeypatch.setenv("YARD", "admin:secret@host/1")
    cameras = camera(name="gate", url="rtsp:/admin:secret@host/1")
    cameras += camera(name="yard", url_env="YARD") + camera(name="fine", url="rtsp://host/1")
    with pytest.raises(ConfigError, match=r"(?s)camera gate: .*camera yard: ") as error:
        assemble(tmp_path, cameras, Metrics("p"))
    assert "secret" not in str(error.value)
    assert "fine" not in str(error.value)
