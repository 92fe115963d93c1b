"""``streamcell track``: an annotated video and files of tracks, from videos that we drew."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import orjson
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.demo.tracking.film import Shown, film
from deploy.demo.tracking.places import PLACES
from deploy.demo.tracking.reels import record
from deploy.demo.tracking.teach import DETECTOR
from deploy.track.film import FilmWriter
from deploy.track.painter import Painter, Seat, colour_of
from pipeline.config_tracking import LineConfig
from pipeline.detect.base import Picture
from pipeline.errors import BundleError, ConfigError, EngineError, SinkError, SourceError
from tests.brokers import free_port
from tests.pipeline.bundles import anomaly_bundle
from tests.pipeline.tracking.bundles import motion_bundle
from tests.processes import gone_afterwards
from tests.shared import REPOSITORY
from trainer.tracking.mot import read_mot
from trainer.tracking.score import Truth

SECONDS = 4.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Kalman filter as a bundle."""
    return motion_bundle(tmp_path_factory.mktemp("model"), "kalman")


@pytest.fixture(scope="module")
def shown() -> list[Shown]:
    """A few seconds of the yard."""
    return list(film(PLACES[3], SECONDS, seed=5))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory, shown: list[Shown]) -> Path:
    """The same as a file."""
    path = tmp_path_factory.mktemp("video") / "the yard.avi"
    record(PLACES[3], shown, path)
    return path


def track(video: object, model: Path, *words: object) -> Result:
    """The command in this process."""
    given = [str(word) for word in ("track", video, "--model", model, *words)]
    if "--detector" not in given:
        given += ["--detector", str(DETECTOR)]
    given += [] if "--layout" in given else ["--layout", "yolov8"]
    return CliRunner().invoke(app, given)


def pictures(path: Path) -> list[Picture]:
    """All pictures of a video."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return [np.asarray(frame, np.uint8) for frame in frames]


def test_a_video_is_written_with_boxes(
    video: Path, model: Path, shown: list[Shown], tmp_path: Path
) -> None:
    """Every frame is there, with what was found drawn where it was found; the tracks are right."""
    out, mot = tmp_path / "out.mp4", tmp_path / "tracks.txt"
    line = "door=0.35,0,0.35,1"
    done = track(video, model, "--out", out, "--records", mot, "--line", line)
    assert done.exit_code == 0, done.output
    frames = pictures(out)
    assert len(frames) == len(shown) == round(SECONDS * 10)
    rows = read_mot(mot)
    assert done.stdout.splitlines()[0].startswith(f"{len(frames)} frames, ")
    assert done.stdout.splitlines()[1].startswith("line door: ")
    truth = [
        [number, one.person, *one.box, 1, 1 if one.visible > 0.35 else 8, 1]
        for number, frame in enumerate(shown, 1)
        for one in frame.present
    ]
    scores = Truth(np.array(truth, np.float64), 1, len(frames)).score(rows).scores()
    assert scores["MOTA"] > 60
    assert scores["FP"] < 0.1 * scores["GT"]
    last = rows[rows[:, 0] == len(frames)]
    before, after = pictures(video)[-1].astype(int), frames[-1].astype(int)
    changed = np.abs(after - before).max(axis=2) > 60
    for _, number, left, top, width, height, *_ in last.tolist():
        # A frame of the identity's colour: its lower edge lies beside no label.
        y = min(round(top + height), after.shape[0] - 1)
        x = np.arange(max(0, round(left)), min(round(left + width), after.shape[1] - 1))
        edge = after[y - 1 : y + 2, x].reshape(-1, 3)
        near = np.abs(edge - np.array(colour_of(int(number)))).max(axis=1) < 110
        assert near.mean() > 0.1
        assert changed[y - 2 : y + 3, x].any()


def test_all_that_is_told_of_tracks_goes_to_a_file(
    video: Path, model: Path, tmp_path: Path
) -> None:
    """JSON lines with the events, whose ids differ; and no video where none is asked for."""
    path = tmp_path / "tracks.jsonl"
    done = track(video, model, "--records", path)
    assert done.exit_code == 0, done.output
    told = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert {one["type"] for one in told} >= {"track", "enter", "leave"}
    names = [(one["type"], one["id"]) for one in told]
    assert len(set(names)) == len(names)
    assert {one["stream"] for one in told} == {"the-yard"}
    assert [path.name for path in tmp_path.iterdir()] == ["tracks.jsonl"]


def test_ctrl_c_finishes_the_files(video: Path, model: Path, tmp_path: Path) -> None:
    """In real time the video goes on for seconds; what was seen of it can be opened."""
    out, mot = tmp_path / "out.mp4", tmp_path / "tracks.txt"
    files = ["--out", out, "--records", mot]
    words = [video, "--model", model, "--detector", DETECTOR, "--layout", "yolov8"]
    started = subprocess.Popen(
        [sys.executable, "-m", "deploy", "track", *map(str, words), "--live", *map(str, files)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with gone_afterwards(started) as process:
        while not mot.exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    count = int(said.partition(" ")[0])
    assert 0 < count < SECONDS * 10
    assert len(pictures(out)) == count


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--line", "door"], "NAME=X0,Y0,X1,Y1"),
        (["--line", "door=0,0,2,1"], "shares of the picture"),
        (["--line", "door=0,0,0,0"], "same point"),
        (["--line", "a b=0,0,0,1"], "--line 'a b=0,0,0,1'"),
        (["--records", "tracks.csv"], ".jsonl or .txt"),
        (["--line", "door=0,0,0,1", "--line", "door=1,0,1,1"], "two lines named 'door'"),
        (["--layout", "yolo99"], "yolov8"),
    ],
)
def test_what_can_not_be_is_told(video: Path, model: Path, words: list[str], problem: str) -> None:
    """Before anything is opened."""
    done = track(video, model, *words)
    assert isinstance(done.exception, ConfigError)
    assert problem in str(done.exception)


def test_a_camera_that_is_not_there_is_waited_for(model: Path, tmp_path: Path) -> None:
    """Until Ctrl-C; then it says that nothing came, and not what the password is."""
    url = f"http://user:secret@127.0.0.1:{free_port()}/cam"
    words = [url, "--model", model, "--detector", DETECTOR, "--layout", "yolov8"]
    started = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "deploy",
            "track",
            *map(str, words),
            "--out",
            str(tmp_path / "o.mp4"),
        ],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )
    with gone_afterwards(started) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=60)[1]
    assert process.returncode == SourceError.exit_code
    assert "no frame came" in said
    assert "secret" not in said
    assert not list(tmp_path.iterdir())


def test_the_video_itself_is_not_written_over(video: Path, model: Path) -> None:
    """Nor by another spelling of its name."""
    before = video.read_bytes()
    for path in (video, video.parent / "." / video.name):
        done = track(video, model, "--out", path)
        assert isinstance(done.exception, ConfigError)
        assert "the video itself" in str(done.exception)
    assert video.read_bytes() == before


def test_files_of_other_kinds_are_refused(video: Path, model: Path, tmp_path: Path) -> None:
    """Each with what is wrong, and nothing is left behind."""
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    out = tmp_path / "out.mp4"
    cases: list[tuple[object, Path, Path, type[Exception], str]] = [
        (noise, model, DETECTOR, SourceError, "noise.mp4"),
        (tmp_path / "none.mp4", model, DETECTOR, SourceError, "there is no such file"),
        ("gopher://host/1", model, DETECTOR, SourceError, "no protocol of cameras"),
        ("rtsp:/a:secret@host/1", model, DETECTOR, SourceError, "begins with rtsp://"),
        (video, anomaly_bundle(tmp_path / "a.onnx"), DETECTOR, BundleError, "tracking bundle"),
        (video, model, tmp_path / "none.onnx", EngineError, "none.onnx"),
        (video, model, model, EngineError, "kalman.onnx"),
    ]
    for source, bundle, detector, error, text in cases:
        done = track(source, bundle, "--detector", detector, "--out", out)
        assert isinstance(done.exception, error), done.exception
        assert text in str(done.exception)
        assert "secret" not in str(done.exception)
    assert not out.exists()


def test_a_place_that_can_not_be_written_is_told(video: Path, model: Path, tmp_path: Path) -> None:
    """For both files."""
    for option, name in (("--out", "o.mp4"), ("--records", "t.txt")):
        done = track(video, model, option, tmp_path / "none" / name)
        assert isinstance(done.exception, SinkError)
        assert name in str(done.exception)


@pytest.mark.parametrize("name", ["o.webm", "o.gif", "o.none", "o"])
def test_a_video_of_another_format_is_refused(
    video: Path, model: Path, tmp_path: Path, name: str
) -> None:
    """And what lies there stays as it is."""
    out = tmp_path / name
    out.write_bytes(b"kept")
    done = track(video, model, "--out", out)
    assert isinstance(done.exception, ConfigError)
    assert ".mp4, .mkv, .mov, .avi" in str(done.exception)
    writer = FilmWriter(out)
    with pytest.raises(SinkError, match="suffix"):
        writer.add(np.zeros((48, 64, 3), np.uint8), 0)
    assert out.read_bytes() == b"kept"


def test_films_take_pictures_of_any_size(tmp_path: Path) -> None:
    """Odd ones lose a line; later ones are cut or padded; times that stand still go on."""
    writer = FilmWriter(tmp_path / "film.mkv")
    for at, size in enumerate(((65, 49), (33, 101), (64, 48))):
        writer.add(np.full((*size, 3), 80 * at, np.uint8), 1_000_000 + (at > 1) * 500_000)
    writer.close()
    writer.close()
    found = pictures(tmp_path / "film.mkv")
    assert [one.shape for one in found] == [(64, 48, 3)] * 3


def test_the_painter_counts_and_lets_trails_fade() -> None:
    """In and out of each line; a track that is gone loses its trail point by point."""
    painter = Painter([LineConfig(name="door", start=[0.5, 0], end=[0.5, 1])])
    empty = np.zeros((120, 160, 3), np.uint8)
    for step in range(6):
        painter.paint(empty, [Seat(7, (10.0 * step, 40, 10, 30), True)], [])
    crossed = [("door", "in"), ("door", "in"), ("door", "out")]
    wild = [Seat(8, (-1e9, -50, 1e12, float(2**40)), False), Seat(9, (155, 118, 50, 50), True)]
    drawn = painter.paint(empty, wild, crossed)
    assert painter.counts == {"door": (2, 1)}
    assert painter.known == 3
    assert drawn.shape == empty.shape
    assert not empty.any()
    lit = [painter.paint(empty, [], []).any(axis=2).sum() for _ in range(8)]
    assert lit[-1] <= lit[0]
