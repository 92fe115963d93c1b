"""Every query of the dashboard, asked of a real Prometheus that scrapes what pipelines export.

No Grafana is at hand: what it does with the answers is not tested.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import count
from math import isfinite

import pytest
from prometheus_client import generate_latest

from pipeline.metrics import Metrics
from pipeline.monitor.health import Health
from pipeline.monitor.members import Condition, Member
from pipeline.monitor.process_metrics import PipelineStates, Reloads
from pipeline.monitor.registries import Merged, process_registry
from pipeline.monitor.server import Monitor
from pipeline.snapshots import SnapshotStats
from tests.deploy.grafana.dashboard import Query, dashboard, queries, substituted
from tests.deploy.prometheus.queries import OWN, exported, metrics_of
from tests.deploy.prometheus.server import Prometheus, running, until
from tests.pipeline.monitor.exports import exercise, records_of

WINDOW = "5s"
WITHOUT_DATA = {
    "Alerts": "no alert fires while nothing is wrong",
}


class Works:
    """Two pipelines in which everything of all tasks happens once more at every scrape."""

    def __init__(self) -> None:
        self._metrics = {name: Metrics(name) for name in ("press", "street")}
        self._turns = count(1)
        self.process = process_registry()
        PipelineStates(self.members, self.process)
        Reloads(self.process)

    def members(self) -> list[Member]:
        """How they stand."""
        return [
            Member(name, lambda: Health(0.0), metrics.registry, condition=Condition())
            for name, metrics in self._metrics.items()
        ]

    def turn(self) -> list[Member]:
        """How they stand after everything has happened again."""
        turn = next(self._turns)
        for metrics in self._metrics.values():
            exercise(metrics)
            for cause in ("camera_overload", "microphone_overflow"):
                metrics.dropped(cause, 1)
            metrics.sent(records_of("keyword", [time.time_ns() // 1000]))
            metrics.committed()
            metrics.observe_state(
                lag={0: 5, 1: 6},
                positions={0: 100 * turn, 1: 90 * turn},
                live=7,
                spilled=1,
                recovery=1.0,
                snapshot=SnapshotStats(time.time(), duration_s=0.2, rows=9, size_bytes=4096),
            )
        return self.members()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, str]]:
    """A Prometheus that has scraped for a while, and the last of what it scraped."""
    works = Works()
    monitor = Monitor("127.0.0.1", 0, members=works.turn, registry=works.process)
    monitor.start()
    try:
        folder = tmp_path_factory.mktemp("prometheus")
        with running(folder, [f"127.0.0.1:{monitor.port}"], [], "500ms") as prometheus:
            scraped = "count_over_time(streamcell_pipeline_up[1m]) >= 6"
            until(lambda: prometheus.query(scraped), "some scrapes")
            registries = [member.registry for member in works.members() if member.registry]
            yield prometheus, generate_latest(Merged([works.process, *registries])).decode()
    finally:
        monitor.stop()


@pytest.mark.parametrize("query", queries(), ids=lambda query: f"{query.title}-{query.legend}")
def test_a_query_has_an_answer(watched: tuple[Prometheus, str], query: Query) -> None:
    """With numbers in it, and with the labels that its legend names."""
    prometheus, text = watched
    assert metrics_of(query.expr) <= exported(text) | OWN
    found = prometheus.query(substituted(query.expr, WINDOW))
    if query.title in WITHOUT_DATA:
        return
    assert found, "no data"
    assert any(isfinite(float(series["value"][1])) for series in found)
    for series in found:
        assert set(re.findall(r"{{(\w+)}}", query.legend)) <= series["metric"].keys()


@pytest.mark.parametrize("title", WITHOUT_DATA)
def test_the_list_of_queries_without_data_is_not_stale(
    watched: tuple[Prometheus, str], title: str
) -> None:
    """What has an answer leaves it."""
    prometheus, _ = watched
    (query,) = [one for one in queries() if one.title == title]
    assert prometheus.query(substituted(query.expr, WINDOW)) == []


def test_variables_have_values(watched: tuple[Prometheus, str]) -> None:
    """The lists at the top of the page."""
    prometheus, _ = watched
    values = {}
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            wanted = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert wanted
            found = prometheus.query(substituted(wanted[1], WINDOW))
            values[variable["name"]] = {series["metric"][wanted[2]] for series in found}
    assert values["job"] == {"streamcell"}
    assert values["pipeline"] == {"press", "street"}
    assert len(values["instance"]) == 1


def test_a_query_that_is_wrong_is_found(watched: tuple[Prometheus, str]) -> None:
    """A misspelt metric, and what is no PromQL."""
    prometheus, text = watched
    assert not metrics_of("sum(streamcell_input_row_total)") <= exported(text)
    with pytest.raises(AssertionError, match="parse error"):
        prometheus.query("sum(rate(streamcell_input_rows_total[))")
