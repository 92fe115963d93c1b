"""The metrics of several pipelines behind one address."""

from __future__ import annotations

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.metrics import Metrics
from pipeline.monitor.registries import Merged, process_registry


def test_each_metric_stands_once_with_all_pipelines() -> None:
    """A family that came twice would be no valid answer for Prometheus."""
    lines = [Metrics(name) for name in ("press", "hall")]
    lines[0].polled(3)
    lines[1].polled(5)
    merged = Merged([process_registry(), *(line.registry for line in lines)])
    families = list(text_string_to_metric_families(generate_latest(merged).decode()))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert "process_cpu_seconds" in names
    (rows,) = [family for family in families if family.name == "streamcell_input_rows"]
    assert {s.labels["pipeline"]: s.value for s in rows.samples} == {"press": 3.0, "hall": 5.0}


def test_a_second_look_counts_nothing_twice() -> None:
    """Reading changes nothing."""
    line = Metrics("press")
    line.polled(3)
    merged = Merged([line.registry, Metrics("hall").registry])
    looks = [
        [text for text in generate_latest(merged).decode().splitlines() if "_input_rows" in text]
        for _ in range(2)
    ]
    assert looks[0] == looks[1]
