"""A real Prometheus for tests, and rules in a hurry."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.brokers import free_port
from tests.deploy.prometheus.tools import RULES, program, read

START_S = 60.0
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])\b")
_AGE = re.compile(r"(?<=time\(\) - streamcell_process_start_timestamp_seconds >= )\d+")


def hurried(folder: Path, factor: int) -> list[Path]:
    """Copies of the rules in which every duration is divided by ``factor``, and nothing else."""

    def scaled(count: str, unit: str) -> str:
        return f"{max(1, int(count) * _UNITS_S[unit] * 1000 // factor)}ms"

    copies = []
    for path in RULES:
        whole = read(path)
        for rule in (rule for group in whole["groups"] for rule in group["rules"]):
            expr = _DURATION.sub(
                lambda found: scaled(found[1] or found[3], found[2] or found[4]), rule["expr"]
            )
            rule["expr"] = _AGE.sub(lambda found: str(int(found[0]) / factor), expr)
            if "for" in rule:
                rule["for"] = scaled(rule["for"][:-1], rule["for"][-1])
        copy = folder / path.name
        copy.write_text(yaml.safe_dump(whole))
        copies.append(copy)
    return copies


def until(condition: Callable[[], Any], what: str, patience_s: float = 20.0) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + patience_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s for {what}"
        time.sleep(0.05)
    return answer


class Prometheus:
    """Asked by its HTTP interface, at ``address``."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, path: str, **arguments: str | float) -> Any:
        """The data of an answer; a refused query raises AssertionError with the reason."""
        query = urllib.parse.urlencode(arguments)
        url = f"{self.address}/api/v1/{path}?{query}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{arguments}: {error.read().decode()}") from error

    def query(self, expr: str) -> list[dict[str, Any]]:
        """What an expression yields now."""
        found: list[dict[str, Any]] = self.ask("query", query=expr)["result"]
        return found

    def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire now, by name."""
        found = self.ask("alerts")["alerts"]
        return {one["labels"]["alertname"]: one for one in found if one["state"] == "firing"}


@contextmanager
def running(
    folder: Path, targets: Sequence[str], rules: Sequence[Path], every: str
) -> Iterator[Prometheus]:
    """One that scrapes these ``host:port``, and evaluates these files, that often."""
    config = {
        "global": {"scrape_interval": every, "evaluation_interval": every},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [
            {"job_name": "streamcell", "static_configs": [{"targets": list(targets)}]}
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    listen = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={listen}",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        until(lambda: _ready(listen) or process.poll() is not None, "Prometheus", START_S)
        assert process.poll() is None, log.read_text()
        yield Prometheus(f"http://{listen}")
    finally:
        process.kill()
        process.wait(10)


def _ready(listen: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{listen}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
