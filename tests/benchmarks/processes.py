"""The pipeline and the script as processes of their own, as a user starts them."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.workload import Payload
from tests.brokers import free_port

START_S = 60.0
STREAMCELL = Path(sys.executable).with_name("streamcell")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What ``streamcell run`` is told."""

    model: Path
    brokers: str
    topic: str
    output: str
    group: str
    payload: Payload
    guarantee: str
    commit_every_ms: int = 200
    slots: int = 131_072
    snapshot_every_s: float = 30.0
    threads: int = 1
    max_rows: int | None = None
    assign: str = "group"
    log_level: str = "warning"

    def write(self, folder: Path) -> tuple[Path, int]:
        """The TOML file, and the port of its metrics."""
        port = free_port()
        path = folder / f"{self.group}.toml"
        path.write_text(
            f"""
[[pipeline]]
name = "{self.group}"
model = "{self.model}"
guarantee = "{self.guarantee}"
commit_every_ms = {self.commit_every_ms}

[pipeline.source]
type = "kafka"
brokers = "{self.brokers}"
topic = "{self.topic}"
payload = "{self.payload}"
client = "confluent"
assign = "{self.assign}"

[pipeline.sink]
type = "kafka"
topic = "{self.output}"
payload = "{"block" if self.payload == "block" else "json"}"
create_topics = true

[pipeline.engine]
threads = {self.threads}
{"" if self.max_rows is None else f"max_rows = {self.max_rows}"}

[pipeline.state]
slots = {self.slots}
snapshot_every_s = {self.snapshot_every_s}

[http]
port = {port}

[log]
level = "{self.log_level}"
format = "json"
""",
            encoding="utf-8",
        )
        return path, port


class Process:
    """A child process; its errors are kept in a file and shown when it fails."""

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        self._log = log
        with log.open("wb") as file:
            self.began = time.perf_counter()
            self._child = subprocess.Popen(command, stdout=file, stderr=file)
        self.pid = self._child.pid

    def check(self) -> None:
        """Raise RuntimeError with the end of its output if it failed."""
        if self._child.poll() not in (None, 0):
            tail = self._log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"the process ended with {self._child.returncode}:\n{tail}")

    def stop(self) -> None:
        """SIGTERM, and wait for the clean end."""
        self._child.terminate()
        try:
            self._child.wait(START_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.check()

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()

    def wait(self) -> None:
        """Wait until it ends by itself."""
        self._child.wait(START_S)
        self.check()


class Running(Process):
    """A pipeline that runs."""

    def __init__(self, told: Pipeline, folder: Path) -> None:
        path, self._port = told.write(folder)
        super().__init__([STREAMCELL, "run", path], path.with_suffix(".log"))

    def ready(self) -> None:
        """Wait until it has recovered and its sources are up."""
        deadline = time.monotonic() + START_S
        while not self._answers("/readyz"):
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError("the pipeline did not become ready")
            time.sleep(0.05)

    def metrics(self) -> dict[str, float]:
        """Its metrics by name and labels, without the label ``pipeline``."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        found = {}
        for line in lines:
            if not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                name, _, labels = series.partition("{")
                kept = [one for one in labels.rstrip("}").split(",") if "pipeline=" not in one]
                found[name + ("{" + ",".join(kept) + "}" if any(kept) else "")] = float(value)
        return found

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._port}{path}", timeout=1
            ) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
