"""The images' install commands, carried out as the Dockerfiles give them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import orjson
import pytest

import pipeline
from tests.deploy.docker.files import Dockerfile, dockerfile
from tests.pipeline.bundles import anomaly_bundle
from tests.shared import REPOSITORY

INSTALL_S = 250.0
CONFIG = """
[[pipeline]]
name = "press"
model = "press.onnx"
source = { type = "file", path = "rows.jsonl", follow = true }
sink = { type = "file", path = "out.jsonl" }
[http]
port = 0
[log]
format = "json"
"""


def copied(found: Dockerfile, folder: Path) -> Path:
    """A folder with what the COPY lines bring, and no more."""
    for source in found.sources:
        path = REPOSITORY / source
        if path.is_dir():
            shutil.copytree(path, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder / source)
    return folder


def carry_out(command: str, folder: Path) -> None:
    """Run an install command of a Dockerfile as a build would; raises with its last lines."""
    # A build's shell knows nothing of the tests' environment, but for its way to the packages.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    python = folder.parent / "bin"
    python.mkdir()
    for name in ("python", "python3"):
        (python / name).symlink_to(sys.executable)
    environment |= {"PATH": f"{python}:/usr/bin:/bin", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # The image keeps bytecode, which takes as long as the rest.
    environment |= {"PIP_NO_COMPILE": "0"}
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment of the runtime's image: the folder with its commands."""
    folder = tmp_path_factory.mktemp("runtime-cpu")
    found = dockerfile("runtime-cpu.Dockerfile")
    (folder / "src").mkdir()
    carry_out(found.install(folder / "venv"), copied(found, folder / "src"))
    return folder / "venv/bin"


def test_the_installed_runtime_runs(installed: Path, tmp_path: Path) -> None:
    """Its version, a check, and a run that scores rows and whose health check passes."""
    anomaly_bundle(tmp_path / "press.onnx")
    (tmp_path / "pipeline.toml").write_text(CONFIG)
    (tmp_path / "rows.jsonl").write_bytes(orjson.dumps({"a": 1.0, "b": 2.0}) + b"\n")
    program, *words = dockerfile("runtime-cpu.Dockerfile").command
    told = {
        word: subprocess.run(
            [installed / program, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for word, words in (("version", ["--version"]), ("check", ["check", "pipeline.toml"]))
    }
    assert told["version"] == f"streamcell {pipeline.__version__}\n"
    assert "pipeline.toml: ok" in told["check"]
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen([installed / program, *words], cwd=tmp_path, stderr=file)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "out.jsonl").exists() or not (tmp_path / "out.jsonl").read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        events = [orjson.loads(line) for line in log.read_bytes().splitlines()]
        (address,) = [event["http"] for event in events if event["event"] == "started"]
        with urllib.request.urlopen(f"{address}/healthz", timeout=10) as answer:  # noqa: S310
            assert answer.status == 200
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait(30)


def test_the_runtimes_image_holds_no_training(installed: Path) -> None:
    """Neither torch nor what the trainer alone needs."""
    (site,) = installed.parent.glob("lib/python3*/site-packages")
    names = {path.name.partition("-")[0] for path in site.iterdir()}
    assert {"pipeline", "deploy", "onnxruntime", "confluent_kafka"} <= names
    assert not names & {"torch", "polars", "matplotlib", "onnx"}


@pytest.mark.slow
def test_what_the_trainers_image_installs_can_be_had(tmp_path: Path) -> None:
    """Resolved to the last package, not installed: torch alone is 200 MB."""
    found = dockerfile("trainer.Dockerfile")
    (tmp_path / "src").mkdir()
    command = found.install(tmp_path / "venv").replace(" install ", " install --dry-run ")
    # Of torch's own index only the processor's wheels are wanted, which constraints.txt names.
    command = command.replace(f'--extra-index-url "{found.arguments["TORCH_INDEX"]}" ', "")
    carry_out(command, copied(found, tmp_path / "src"))


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["x86_64", "aarch64"])
def test_onnx_runtime_and_the_clients_have_wheels_for_the_gpus_images(
    tmp_path: Path, platform: str
) -> None:
    """Of Python 3.12; TensorRT's own libraries come from an index that tests don't ask."""
    wanted = ["onnxruntime-gpu", "cuda-bindings", "confluent-kafka", "numpy", "msgspec", "orjson"]
    tags = [f"--platform=manylinux_{minor}_{platform}" for minor in ("2_17", "2_28", "2_34")]
    options = [f"--target={tmp_path}", *tags, "--python-version=3.12", "--only-binary=:all:"]
    pins = ["-c", str(REPOSITORY / "constraints.txt")]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", *options, *pins, *wanted],
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Would install" in done.stdout
