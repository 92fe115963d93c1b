"""``streamcell check`` of a pipeline with cameras: its detector is opened, its cameras are not."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from deploy.cli import main
from pipeline.bundle import read_bundle
from pipeline.errors import ConfigError
from tests.pipeline.bundles import anomaly_bundle
from tests.pipeline.tracking.bundles import motion_bundle

FILE = """
[[pipeline]]
name = "plaza"
model = "constant_velocity.onnx"
[pipeline.source]
type = "cameras"
[[pipeline.source.camera]]
name = "entrance"
url = "rtsp://127.0.0.1:1/nobody"
[[pipeline.source.camera]]
name = "yard"
url = "http://127.0.0.1:1/nobody.mjpg"
[pipeline.detector]
{detector}
[pipeline.sink]
type = "console"
"""


def file(folder: Path, detector: str) -> str:
    """A configuration with this detector's table."""
    motion_bundle(folder, "constant_velocity")
    path = folder / "plaza.toml"
    path.write_text(FILE.format(detector=detector))
    return str(path)


def check(folder: Path, detector: str) -> subprocess.CompletedProcess[str]:
    """The command's answer for a detector's table, in this process."""
    words = ["streamcell", "check", file(folder, detector)]
    out, errors = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(errors),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, out.getvalue(), errors.getvalue())


def test_it_names_cameras_and_detector(tmp_path: Path) -> None:
    """And nothing else: no log line is in the answer."""
    command = [sys.executable, "-m", "deploy", "check", file(tmp_path, 'kind = "hog"')]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stderr
    lines = [line.split(maxsplit=1) for line in answer.stdout.splitlines()]
    assert ["source", "cameras: entrance, yard"] in lines
    assert [name for name, _ in lines] == [
        f"{tmp_path / 'plaza.toml'}:",
        *("pipeline", "model", "source", "detector", "sink", "metrics"),
    ]


def test_state_is_told_per_camera(tmp_path: Path) -> None:
    """A camera has as much of it as it may have tracks."""
    answer = check(tmp_path, 'kind = "hog"\n[pipeline.tracking]\nmax_tracks = 40')
    width = read_bundle(tmp_path / "constant_velocity.onnx").manifest.state_width
    assert f"40 x {width} floats of state a camera" in answer.stdout


LINE = """
[[pipeline.tracking.line]]
name = "door"
start = [0, 0]
end = [1, 1]
"""


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (LINE + 'camera = "entrence"', "no such camera in the source: 'door' of 'entrence'"),
        (LINE + LINE, "two lines named 'door'\n"),
        (LINE + 'camera = "yard"' + LINE, "two lines named 'door' of camera 'yard'"),
        ((LINE + 'camera = "yard"') * 2, "two lines named 'door' of camera 'yard'"),
    ],
)
def test_lines_that_count_nothing_or_twice_are_refused(
    tmp_path: Path, lines: str, problem: str
) -> None:
    """A name that was mistyped, or used again for the same camera."""
    answer = check(tmp_path, 'kind = "hog"' + lines)
    assert answer.returncode == ConfigError.exit_code
    assert problem in answer.stderr


def test_lines_of_two_cameras_may_share_a_name(tmp_path: Path) -> None:
    """Each camera has its door."""
    lines = LINE + 'camera = "yard"' + LINE + 'camera = "entrance"'
    assert check(tmp_path, 'kind = "hog"' + lines).returncode == 0


@pytest.mark.parametrize("model", ["away.onnx", "anomaly.onnx"])
def test_a_detector_that_is_none_is_refused(tmp_path: Path, model: str) -> None:
    """Before the pipeline is started, by the file's name."""
    anomaly_bundle(tmp_path / "anomaly.onnx")
    answer = check(tmp_path, f'kind = "onnx"\nmodel = "{model}"')
    assert answer.returncode != 0
    assert model in answer.stderr
    assert "Traceback" not in answer.stderr
