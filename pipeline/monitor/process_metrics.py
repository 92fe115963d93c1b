"""What the process tells Prometheus of its pipelines and its configuration."""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pipeline.monitor.members import Members


class PipelineStates(Collector):
    """Whether each pipeline runs, and how often it was started again."""

    def __init__(self, members: Members, registry: CollectorRegistry) -> None:
        self._members = members
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Asks the pipelines, at every scrape."""
        up = GaugeMetricFamily(
            "streamcell_pipeline_up",
            "Whether the pipeline runs; 0 while it starts, and from an error to its restart.",
            labels=["pipeline"],
        )
        restarts = CounterMetricFamily(
            "streamcell_pipeline_restarts",
            "How often the pipeline was started again after an error.",
            labels=["pipeline"],
        )
        for member in self._members():
            if member.condition.state != "ended":  # it has done all its work: nothing is down
                up.add_metric([member.name], float(member.condition.state == "running"))
            restarts.add_metric([member.name], member.condition.restarts)
        return [up, restarts]


class Reloads:
    """Counts what became of each reading of the configuration."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter(
            "streamcell_config_reloads",
            "Times the configuration was read again.",
            ["result"],
            registry=registry,
        )
        self._last = Gauge(
            "streamcell_config_loaded_timestamp_seconds",
            "When the configuration that holds now was read.",
            registry=registry,
        )
        self._well = Gauge(
            "streamcell_config_last_reload_successful",
            "Whether the last reading of the configuration went well; 1 or 0.",
            registry=registry,
        )
        for result in ("success", "failure"):
            self._count.labels(result)
        self._well.set(True)
        self._last.set(time.time())

    def read(self, *, well: bool) -> None:
        """The configuration was read again, and holds if that went well."""
        self._count.labels("success" if well else "failure").inc()
        self._well.set(well)
        if well:
            self._last.set(time.time())
