"""The probes' paths, asked of a running process."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import orjson

from tests.deploy.docker.test_images import CONFIG
from tests.deploy.kubernetes.build import container
from tests.pipeline.bundles import anomaly_bundle

PATIENCE_S = 60.0


def answers(url: str) -> bool:
    """Whether it is there and says yes."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own process
            return bool(answer.status == 200)
    except OSError:
        return False


def test_the_probes_of_the_manifests_pass(tmp_path: Path) -> None:
    """Startup, liveness and readiness, with the paths of the StatefulSet."""
    probes = [container("cpu")[f"{name}Probe"] for name in ("startup", "liveness", "readiness")]
    paths = [probe["httpGet"]["path"] for probe in probes]
    anomaly_bundle(tmp_path / "press.onnx")
    (tmp_path / "pipeline.toml").write_text(CONFIG)
    (tmp_path / "rows.jsonl").touch()
    log = tmp_path / "log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "deploy", "run", str(tmp_path / "pipeline.toml")]
        process = subprocess.Popen(command, stderr=file)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while b'"event":"started"' not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        events = [orjson.loads(line) for line in log.read_bytes().splitlines()]
        (address,) = [event["http"] for event in events if event["event"] == "started"]
        while not all(answers(f"{address}{path}") for path in paths):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, paths
            time.sleep(0.05)
        assert not answers(f"{address}/readiness"), "a path that is not there fails"
    finally:
        process.kill()
        process.wait(30)
