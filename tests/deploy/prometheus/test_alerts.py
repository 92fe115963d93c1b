"""A real Prometheus watches a running pipeline: what is planted in that makes alerts fire.

All of its rules' durations are a sixtieth of what they are; scrapes are twice a second.
"""

from __future__ import annotations

import re
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.deploy.prometheus.queries import OWN, exported, metrics_of
from tests.deploy.prometheus.server import Prometheus, hurried, running, until
from tests.deploy.prometheus.tools import promtool, rules
from tests.recovery.rig import Feeder, Pipeline, Record, kill_all, make_topics, random_walks
from tests.shared import REPOSITORY

NAME = "watched"
STEADY = "instance_pipeline:streamcell_pipeline_steady:bool"


@dataclass(frozen=True)
class Site:
    """A pipeline's process, and the Prometheus that scrapes it."""

    process: subprocess.Popen[bytes]
    http: str
    brokers: str
    prometheus: Prometheus

    def metrics(self) -> str:
        """What the process exports."""
        with urllib.request.urlopen(f"{self.http}/metrics", timeout=5) as answer:  # noqa: S310
            return str(answer.read().decode())


def started(pipeline: Pipeline, process: subprocess.Popen[bytes]) -> list[str]:
    """The address that a running process has logged, or none yet."""
    log = pipeline.log.read_text()
    assert process.poll() is None, log[-2000:]
    return re.findall(r'"http":"(http://[^"]+)"', log)


@pytest.fixture(scope="module")
def site(noida: Broker, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A pipeline with rows to read, watched."""
    folder = tmp_path_factory.mktemp("watched")
    make_topics(noida.address, "watched-in", NAME, f"{NAME}.dead")
    pipeline = Pipeline(folder, noida.address, bundle, "watched-in", NAME, "at_least_once")
    text = pipeline.file.read_text()
    pipeline.file.write_text(
        text.replace("[pipeline.source]", "latency_target_ms = 700\n[pipeline.source]", 1)
    )
    try:
        process = pipeline.start()
        (http,) = until(lambda: started(pipeline, process), "the start", 60.0)
        target = http.removeprefix("http://")
        with running(folder, [target], hurried(folder, 60), "500ms") as prometheus:
            yield Site(process, http, noida.address, prometheus)
    finally:
        kill_all()


def unknown(expr: str, text: str) -> set[str]:
    """Metrics of a rule that neither the process nor a rule makes."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    return metrics_of(expr) - recorded - exported(text) - OWN


def test_rules_ask_for_what_a_running_pipeline_exports(site: Site) -> None:
    """A misspelt name would never fire, and nobody would notice."""
    text = site.metrics()
    assert {rule["expr"]: unknown(rule["expr"], text) for rule in rules()} == {
        rule["expr"]: set() for rule in rules()
    }
    for rule in rules():
        misspelt = rule["expr"].replace("streamcell_", "streamcel_")
        assert bool(unknown(misspelt, text)) == (misspelt != rule["expr"])


def test_promtool_finds_no_fault_in_what_is_exported(site: Site) -> None:
    """Also not in what only a running process has."""
    assert promtool("check", "metrics", told=site.metrics()) == (0, "")


def test_the_configured_target_is_exported(site: Site) -> None:
    """In seconds."""
    line = f'streamcell_output_latency_target_seconds{{pipeline="{NAME}"}} 0.7'
    assert line in site.metrics().splitlines()


def mostly_broken(until_set: threading.Event) -> Iterator[Record]:
    """Three broken records after each good one."""
    for stream, value in random_walks(100_000, seed=2):
        if until_set.is_set():
            return
        yield stream, value
        yield from repeat((stream, b"{broken"), 3)


def test_a_healthy_pipeline_alarms_nobody_and_bad_rows_do(site: Site) -> None:
    """Of good rows nothing comes; then three in four rows are broken, and the alert says so."""
    ask = site.prometheus
    until(lambda: ask.query(STEADY), "a steady pipeline")
    Feeder(site.brokers, "watched-in", random_walks(150, 1), 1000.0).start()
    until(lambda: ask.query("streamcell_input_rows_total >= 150"), "rows")
    assert ask.firing() == {}

    seen = threading.Event()
    flood = Feeder(site.brokers, "watched-in", mostly_broken(seen), 200.0)
    flood.start()
    try:
        alert = until(lambda: ask.firing().get("StreamcellMostlyDeadLetters"), "the alert")
    finally:
        seen.set()
        flood.join(20)
    assert alert["labels"]["pipeline"] == NAME
    assert alert["labels"]["severity"] == "critical"
    told = alert["annotations"]["description"]
    share = re.match(r"([\d.]+)% of its rows", told)
    assert share, told
    assert 50 < float(share[1]) <= 100
    assert "StreamcellDeadLetters" in ask.firing()


def test_no_rule_fails(site: Site) -> None:
    """Each was evaluated without an error."""
    ask = site.prometheus

    def states() -> dict[str, str]:
        return {
            rule["name"]: rule["lastError"] if "lastError" in rule else rule["health"]
            for group in ask.ask("rules")["groups"]
            for rule in group["rules"]
        }

    until(lambda: "unknown" not in states().values(), "every rule's turn")
    assert set(states().values()) == {"ok"}
    assert len(states()) == len(rules())


def test_examples_of_the_page_of_metrics_are_queries(site: Site) -> None:
    """Each can be pasted into Prometheus."""
    page = (REPOSITORY / "docs" / "metrics.md").read_text()
    examples = re.findall(r"^\| `streamcell_.* `([^`]+)` \|$", page, re.MULTILINE)
    assert len(examples) == page.count("\n| `streamcell_")
    text = site.metrics()
    for example in examples:
        site.prometheus.query(example)
        assert unknown(example, text) == set(), example


def test_a_process_that_was_killed_is_missed(site: Site) -> None:
    """The alert names the instance."""
    site.process.kill()
    site.process.wait(10)
    alert = until(lambda: site.prometheus.firing().get("StreamcellDown"), "the alert")
    assert alert["labels"]["instance"] == site.http.removeprefix("http://")
    assert alert["labels"]["severity"] == "critical"
