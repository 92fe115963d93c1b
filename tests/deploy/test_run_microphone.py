"""``streamcell run`` on a microphone: words to a file, health and metrics when it is unplugged."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.audio.spelling import spelling_bundle, spoken
from tests.pipeline.sources.virtual_microphone import VirtualMicrophone, until
from tests.shared import REPOSITORY

FILE = """
[[pipeline]]
name = "desk"
model = "spelling.onnx"
source = { type = "microphone", device = "default", sample_rate_hz = 16_000, name = "desk" }
sink = { type = "file", path = "words.jsonl", emit = "events" }
[http]
port = 0
[log]
format = "json"
"""


class Desk:
    """The process, its words and what it says of itself."""

    def __init__(self, folder: Path, microphone: VirtualMicrophone) -> None:
        self.folder = folder
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy", "run", str(folder / "p.toml")],
                stderr=log,
                cwd=REPOSITORY,
                env={**microphone.environment, "PULSE_SOURCE": "mono.monitor"},
            )
        until(lambda: b'"started"' in self.log.read_bytes(), "it runs")
        lines = map(json.loads, filter(lambda line: line[:1] == b"{", self._lines()))
        (self.address,) = (line["http"] for line in lines if line["event"] == "started")

    def _lines(self) -> list[bytes]:
        return self.log.read_bytes().splitlines()

    def ask(self, path: str) -> str:
        """The page's text, whatever its status."""
        try:
            with urllib.request.urlopen(  # noqa: S310 - the test's own server
                f"{self.address}{path}", timeout=30
            ) as answer:
                return str(answer.read(), "utf-8")
        except urllib.error.HTTPError as error:
            with error:
                return f"{error.code} {error.read().decode()}"

    def words(self) -> list[str]:
        """What was said so far."""
        path = self.folder / "words.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [json.loads(line)["text"] for line in lines]


@pytest.fixture
def microphone(tmp_path: Path) -> Iterator[VirtualMicrophone]:
    """A microphone without hardware."""
    (tmp_path / "mic").mkdir()
    server = VirtualMicrophone(tmp_path / "mic")
    yield server
    server.close()


@pytest.fixture
def desk(tmp_path: Path, microphone: VirtualMicrophone) -> Iterator[Desk]:
    """A pipeline that listens to it."""
    spelling_bundle(tmp_path / "spelling.onnx")
    (tmp_path / "p.toml").write_text(FILE)
    made = Desk(tmp_path, microphone)
    with made.process:
        try:
            yield made
        finally:
            made.process.kill()


def test_words_of_a_microphone_and_its_health(desk: Desk, microphone: VirtualMicrophone) -> None:
    """Ready while it records, and not while it is unplugged; a half-said word is reported."""

    def say(text: str) -> None:
        until(lambda: microphone.recorded_by(1), "it records")
        microphone.play(np.repeat(spoken(text, 3), 2)[None])

    # A busy sound server may miss what is played just when a recording begins.
    say("hello you")
    patience = time.monotonic() + 15
    until(lambda: "hello you" in desk.words() or time.monotonic() > patience, "the words come")
    if "hello you" not in desk.words():
        say("hello you")
    until(lambda: "hello you" in desk.words(), "the words come")
    until(lambda: "ready" in desk.ask("/readyz"), "it is ready")
    microphone.stop()
    until(lambda: "microphone: lost" in desk.ask("/readyz"), "it is not ready")
    assert desk.ask("/readyz").startswith("503")
    microphone.start()
    say("there again")
    until(lambda: "there again" in desk.words(), "the words come again")
    until(lambda: "lost" not in desk.ask("/readyz"), "it is ready again")
    metrics = desk.ask("/metrics")
    assert 'streamcell_output_rows_total{kind="final",pipeline="desk"} 2.0' in metrics
    assert 'streamcell_pool_ended_streams_total{pipeline="desk"} 1.0' in metrics
    desk.process.send_signal(signal.SIGTERM)
    assert desk.process.wait(60) == 0
    assert b"the microphone is gone" in desk.log.read_bytes()
