"""``streamcell demo`` from end to end, as a process, on the embedded broker and on files."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.demo.broker import answers
from tests.brokers import Broker
from tests.deploy.test_demo_parts import until

STREAMS, ROWS, BAD = 8, 200, 27
SHORT = ["--streams", str(STREAMS), "--rows", str(ROWS), "--epochs", "1", "--rate", "800"]


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    """The demo as a process; its output is in ``demo.txt`` beside ``folder``."""
    with (folder.parent / "demo.txt").open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy", "demo", "--out", str(folder), *SHORT, *options],
            stdout=output,
            stderr=output,
            text=True,
        )


def said(folder: Path) -> str:
    """What the demo has printed."""
    return (folder.parent / "demo.txt").read_text()


def finish(process: subprocess.Popen[str], folder: Path) -> dict[str, Any]:
    """Wait for its end, which must be a good one, and read its numbers."""
    try:
        assert process.wait(120) == 0, said(folder)
    finally:
        process.kill()
    numbers: dict[str, Any] = orjson.loads((folder / "demo.json").read_bytes())
    return numbers


def assert_counts(numbers: dict[str, Any]) -> None:
    """Every row once, every bad record dead, none else."""
    counts = numbers["counts"]
    assert (counts["rows_sent"], counts["rows_answered"]) == (STREAMS * ROWS, STREAMS * ROWS)
    assert (counts["lost"], counts["doubled"], counts["stray"]) == (0, 0, 0)
    assert (counts["planted"], counts["dead_letters"]) == (BAD, BAD)
    assert counts["unexpected_dead_letters"] == 0
    assert counts["dead_letter_causes"] == {
        "bad_time": 3,
        "duplicate": 3,
        "extra_field": 3,
        "late": 3,
        "malformed": 6,
        "missing_feature": 3,
        "not_finite": 3,
        "wrong_type": 3,
    }
    assert counts["latency_p99_ms"] >= counts["latency_p50_ms"] > 0
    assert numbers["verdict"]["good"]


def test_demo_on_the_embedded_broker(tmp_path: Path) -> None:
    """A pipeline killed half-way loses and doubles nothing; the demo ends and takes all with it."""
    folder = tmp_path / "out"
    numbers = finish(start(folder, "--crash"), folder)
    assert_counts(numbers)
    assert numbers["run"]["guarantee"] == "exactly_once"
    assert numbers["run"]["crash_s"] > 0
    assert numbers["parity"]["y_deviation"] <= numbers["parity"]["tolerance"]
    for name in ("demo.html", "report.html", "report.json", "machine-temperature.onnx"):
        assert (folder / name).stat().st_size > 1000, name
    config = tomllib.loads((folder / "pipeline.toml").read_text())
    assert not answers(config["pipeline"][0]["source"]["brokers"])
    assert '"stopped"' in (folder / "pipeline.log").read_text()
    text = said(folder)
    assert "lost" in text
    assert "GLIBC" not in text


@pytest.mark.slow
def test_demo_on_files_keeps_running(tmp_path: Path) -> None:
    """Without a broker the same counts come from files; what is kept takes rows until SIGTERM."""
    folder = tmp_path / "out"
    process = start(folder, "--files", "--keep")
    try:
        until(
            # The last of what it says then.
            lambda: "machine-new" in said(folder) or process.poll() is not None,
            "up",
            120,
        )
        assert process.poll() is None, said(folder)
        port = tomllib.loads((folder / "pipeline.toml").read_text())["http"]["port"]
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").status == 200
        (example,) = (line for line in said(folder).splitlines() if "machine-new" in line)
        subprocess.run(example, shell=True, check=True)  # noqa: S602 - as the user types it
        scores = folder / "scores.jsonl"
        until(lambda: b'"machine-new"' in scores.read_bytes(), "the row of one's own is scored")
        process.send_signal(signal.SIGTERM)
        numbers = finish(process, folder)
    finally:
        process.kill()
    assert_counts(numbers)
    assert numbers["run"]["guarantee"] == "at_least_once"
    assert "Streaming from files" in said(folder)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")


@pytest.mark.slow
@pytest.mark.kafka
def test_demo_on_a_users_kafka(tmp_path: Path, apache: Broker) -> None:
    """Topics of its own on a broker that was there, a crash, and both stay: broker and topics."""
    folder = tmp_path / "out"
    numbers = finish(start(folder, "--broker", apache.address, "--crash"), folder)
    assert_counts(numbers)
    assert answers(apache.address)
    topics = tomllib.loads((folder / "pipeline.toml").read_text())["pipeline"][0]
    assert topics["source"]["topic"] in said(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--files", "--broker", "localhost:9092"], "exclude each other"),
        (["--files", "--crash"], "exactly-once"),
        (["--broker", "localhost:1"], "no Kafka broker answers at localhost:1"),
        (["weather"], "is not one of"),
    ],
)
def test_demo_refuses_before_it_works(tmp_path: Path, options: list[str], message: str) -> None:
    """What can't succeed is said within seconds, not after the training."""
    folder = tmp_path / "out"
    began = time.monotonic()
    process = start(folder, *options)
    try:
        assert process.wait(60) != 0
    finally:
        process.kill()
    assert message in said(folder)
    assert "Traceback" not in said(folder)
    assert not (folder / "report.html").exists()
    assert time.monotonic() - began < 60
