"""Paths that a service could not use are told before it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.service.contents import Needs, check_paths, named_files, needs, told_passwords
from deploy.service.install import install
from deploy.service.places import Places
from pipeline.config import Config
from pipeline.errors import ConfigError


def config(kind: str = "kafka", /, **changes: object) -> Config:
    """A pipeline, with some of its tables changed."""
    sources: dict[str, object] = {
        "kafka": {"type": "kafka", "brokers": "b:9092", "topic": "t"},
        "file": {"type": "file", "path": "/srv/rows.jsonl"},
        "microphone": {"type": "microphone"},
        "webcam": {"type": "cameras", "camera": [{"name": "door", "url": "/dev/video0"}]},
        "film": {"type": "cameras", "camera": [{"name": "door", "url": "film.mp4"}]},
        "rtsp": {"type": "cameras", "camera": [{"name": "door", "url": "rtsp://u:p@host/1"}]},
    }
    pipeline = {
        "name": "one",
        "model": "one.onnx",
        "source": sources[kind],
        "sink": {"type": "kafka", "topic": "out", "brokers": "b:9092"},
    }
    return Config.model_validate({"pipeline": [pipeline | changes]})


GOOD = {
    "kafka": config(),
    "a file": config("file"),
    "state in its folder": config(state={"path": "state/x.sqlite"}),
    "state by its whole path": config(state={"path": "/var/lib/streamcell/one/x.sqlite"}),
    "sink in its folder": config(sink={"type": "file", "path": "state/out.jsonl"}),
}
BAD = {
    "state elsewhere": (config(state={"path": "/var/lib/x.sqlite"}), "take state/x.sqlite"),
    "state out of its folder": (config(state={"path": "state/../x"}), "take state/x"),
    "sink beside the file": (
        config(sink={"type": "file", "path": "out.jsonl"}),
        "take state/out.jsonl",
    ),
    "engines beside the file": (config(engine={"cache": "built"}), "take state/built"),
    "model of a user": (config(model="/home/me/one.onnx"), "sees nothing of /home"),
    "model above the file": (config(model="../one.onnx"), "put it beside"),
    "rows that stay behind": (
        config(source={"type": "file", "path": "rows.jsonl"}),
        "rows.jsonl: the service does not have it",
    ),
    "a film that stays behind": (config("film"), "film.mp4: the service does not have it"),
}


@pytest.mark.parametrize("case", GOOD)
def test_paths_that_a_service_can_use(case: str) -> None:
    """They raise nothing."""
    check_paths(GOOD[case], Path(), Places("one"))


@pytest.mark.parametrize("case", BAD)
def test_paths_that_a_service_can_not_use(case: str) -> None:
    """The error says which, and what to take."""
    found, message = BAD[case]
    with pytest.raises(ConfigError, match=message):
        check_paths(found, Path(), Places("one"))


def test_a_users_own_service_sees_the_users_files() -> None:
    """Its manager hides none."""
    check_paths(config(model="/home/me/one.onnx"), Path(), Places("one", user=True))


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("kafka", Needs(cameras=False, microphone=False, gpu=False)),
        ("rtsp", Needs(cameras=False, microphone=False, gpu=False)),
        ("webcam", Needs(cameras=True, microphone=False, gpu=False)),
        ("microphone", Needs(cameras=False, microphone=True, gpu=False)),
    ],
)
def test_only_devices_that_are_read_are_needed(source: str, needed: Needs) -> None:
    """A camera on the network is none of this machine's."""
    assert needs(config(source)) == needed
    gpu = config(source, engine={"device": "cuda"})
    assert needs(gpu) == Needs(needed.cameras, needed.microphone, gpu=True)


def test_a_described_model_brings_its_graph(tmp_path: Path) -> None:
    """And of authorities and detectors the files that are named by relative paths."""
    (tmp_path / "vad").mkdir()
    (tmp_path / "vad/model.toml").write_text('model = "graph.onnx"\n')
    security = {"protocol": "SSL", "ca_file": "ca.pem"}
    found = config(
        model="vad/model.toml",
        source={"type": "kafka", "brokers": "b:1", "topic": "t", "security": security},
        detector={"kind": "onnx", "model": "people.onnx", "reid": "/srv/reid.onnx"},
    )
    names = ["vad/model.toml", "vad/graph.onnx", "people.onnx", "ca.pem"]
    assert named_files(found, tmp_path) == names


def test_a_password_in_the_file_is_told(site: Path, device: Path) -> None:
    """But not which."""
    assert told_passwords(config("rtsp")) == ["door"]
    assert told_passwords(config("webcam")) == []
    done = install(site, Places("pumps", root=device), manager=None)
    assert not any("careful" in line for line in done.said)
