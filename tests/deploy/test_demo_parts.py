"""The demo's surroundings: its folder, its child processes, its broker, its configuration."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.demo.anomaly.act import SCENE
from deploy.demo.broker import answers, embedded_broker, free_port, require_broker, start_broker
from deploy.demo.children import Child
from deploy.demo.edges import Topics
from deploy.demo.folder import demo_folder
from deploy.demo.forecast.act import SCENE as FORECAST
from deploy.demo.scene import Scene
from deploy.demo.transport import FileTransport, KafkaTransport
from pipeline.config import load_config
from pipeline.errors import ConfigError, SourceError
from tests.processes import gone_afterwards


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def until_gone(pid: int) -> None:
    """Wait for a process to end."""
    until(lambda: not alive(pid), f"process {pid} ends")


def test_folder_is_emptied_only_if_a_demo_made_it(tmp_path: Path) -> None:
    """A second demo finds an empty folder; someone else's files are refused and stay."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with demo_folder(ours):
        (ours / "state").mkdir()
        (ours / "state" / "old.sqlite").write_text("x")
    with demo_folder(ours):
        assert [path.name for path in ours.iterdir()] == [".streamcell-demo"]
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("x")
    with pytest.raises(ConfigError, match="holds other files"), demo_folder(theirs):
        pass
    assert (theirs / "thesis.txt").exists()


def test_folder_is_used_by_one_demo_at_a_time(tmp_path: Path) -> None:
    """The second is told so, and what the first wrote stays."""
    with demo_folder(tmp_path):
        (tmp_path / "model.onnx").write_text("x")
        with pytest.raises(ConfigError, match="another demo is running"), demo_folder(tmp_path):
            pass
        assert (tmp_path / "model.onnx").exists()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in the way is named."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="can't use it"), demo_folder(tmp_path / "file" / "out"):
        pass


def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    """SIGKILL leaves the parent no time to clean up; its guard does."""
    script = (
        "import sys, time, pathlib\n"
        "from deploy.demo.children import Child\n"
        "child = Child('x', ['sleep', '600'], pathlib.Path(sys.argv[1]))\n"
        "child.start()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    with gone_afterwards(started) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    until_gone(pid)


def test_child_is_stopped_or_killed_and_its_log_kept(tmp_path: Path) -> None:
    """``stop`` is SIGTERM and tells the exit code; ``kill`` is SIGKILL; both may be repeated."""
    child = Child("x", ["sh", "-c", "echo hello; exec sleep 600"], tmp_path / "log")
    child.start()
    first = child.pid
    until(lambda: "hello" in child.last_lines(), "it says hello")
    assert child.stop() == -signal.SIGTERM
    until_gone(first)
    assert child.stop() is None
    child.start()
    second = child.pid
    child.kill()
    until_gone(second)
    child.kill()


def test_embedded_broker_answers_and_ends(tmp_path: Path) -> None:
    """It starts on a free port, keeps its chatter in its log, and stops."""
    program = embedded_broker()
    assert program is not None
    broker, address = start_broker(program, tmp_path / "data")
    try:
        assert answers(address)
        require_broker(address)
    finally:
        broker.stop()
    assert not answers(address)
    assert (tmp_path / "broker.log").stat().st_size > 0


def test_broker_that_fails_tells_its_log(tmp_path: Path) -> None:
    """A program that ends at once is an error with what it said."""
    program = tmp_path / "noida-db"
    program.write_text("#!/bin/sh\necho no space left >&2\nexit 3\n")
    with pytest.raises(SourceError, match="no space left"):
        start_broker(program, tmp_path / "data")
    assert os.access(program, os.X_OK)


def test_broker_of_another_platform(tmp_path: Path) -> None:
    """What can't be executed is an OSError, for which the demo falls back to files."""
    program = tmp_path / "noida-db"
    program.write_bytes(b"\x7fELF not for this machine")
    with pytest.raises(OSError, match="Exec format"):
        start_broker(program, tmp_path / "data")


def test_broker_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address without a Kafka is an error that says what to do, and wrong ones too."""
    monkeypatch.setattr("deploy.demo.broker.ANSWER_S", 0.1)
    for address in (f"127.0.0.1:{free_port()}", "nonsense", "localhost:x"):
        with pytest.raises(SourceError, match="leave --broker out"):
            require_broker(address)


@pytest.mark.parametrize("scene", [SCENE, FORECAST], ids=lambda scene: scene.task)
@pytest.mark.parametrize("own", [True, False])
def test_kafka_configuration_is_valid(tmp_path: Path, own: bool, scene: Scene) -> None:
    """What the demo writes passes the pipeline's own check."""
    transport = KafkaTransport("127.0.0.1:9092", scene, own=own)
    transport.configure(tmp_path / "pipeline.toml", 9464)
    (pipeline,) = load_config(tmp_path / "pipeline.toml").pipeline
    assert pipeline.guarantee == "exactly_once"
    assert pipeline.source.type == "kafka"
    assert pipeline.sink.type == "kafka"
    assert pipeline.source.assign == ("all" if own else "group")
    assert pipeline.source.topic == transport.topics.rows
    assert pipeline.sink.dead_letter_topic == transport.topics.dead
    assert pipeline.sink.events_topic == transport.topics.alarms
    assert (pipeline.sink.events_topic is not None) is scene.alarms
    assert (transport.topics == Topics.named(scene)) is own
    assert (transport.left_behind() == "") is own


def test_topics_on_a_users_kafka_are_new_each_time() -> None:
    """Two runs on one broker don't meet."""
    one, two = (KafkaTransport("127.0.0.1:9092", SCENE, own=False) for _ in range(2))
    names = [
        name
        for transport in (one, two)
        for name in (transport.topics.rows, *transport.topics.outputs())
    ]
    assert len(set(names)) == 8
    assert one.topics.rows in one.left_behind()


@pytest.mark.parametrize("scene", [SCENE, FORECAST], ids=lambda scene: scene.task)
def test_file_configuration_is_valid(tmp_path: Path, scene: Scene) -> None:
    """The fallback's file passes too, and says that it is at least once."""
    FileTransport(tmp_path, scene).configure(tmp_path / "pipeline.toml", 9464)
    (pipeline,) = load_config(tmp_path / "pipeline.toml").pipeline
    assert (pipeline.source.type, pipeline.sink.type) == ("file", "file")
    assert pipeline.guarantee == "at_least_once"
