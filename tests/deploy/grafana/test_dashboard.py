"""The dashboard is well-formed: what Grafana reads is there, and what people read too."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest
import yaml

from pipeline.assemble_model import EVENTS
from tests.deploy.grafana.dashboard import FOLDER, Json, dashboard, panels, queries, substituted

COLUMNS = 24
BUILT_IN = {"__rate_interval"}
# Ids of Grafana's own list (grafana-data, valueFormats/categories); another shows plain numbers.
PLAIN_UNITS = {"none", "short", "percentunit", "s", "bytes"}
UNITS = PLAIN_UNITS | {"cps", "ops", "wps", "recps", "rowsps", "cpm", "opm"}
ROWS = (
    "Overview",
    "Input and lag",
    "Latency and stages",
    "State and snapshots",
    "Alarms and dead letters",
    "Forecasts",
    "Speech",
    "Cameras and tracks",
    "Process",
)


def overlap(one: Json, other: Json) -> bool:
    """Whether two places share a cell."""
    return bool(
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def faults(panel: Json) -> list[str]:
    """What a panel lacks."""
    field = panel["fieldConfig"]["defaults"]
    place = panel["gridPos"]
    targets = panel["targets"]
    found = {
        "unit": field.get("unit") in UNITS,
        "thresholds": field["thresholds"]["steps"][0]["value"] is None,
        "description": panel.get("description", "").endswith("."),
        "place": place["x"] >= 0 and place["x"] + place["w"] <= COLUMNS and place["h"] > 0,
        "data source": all(
            one["datasource"]["uid"] == "${datasource}" for one in (panel, *targets)
        ),
        "references": len({target["refId"] for target in targets}) == len(targets) > 0,
    }
    return [name for name, there in found.items() if not there]


def test_rows_are_in_order() -> None:
    """From what everybody looks at to what few do."""
    rows = [panel["title"] for panel in dashboard()["panels"] if panel["type"] == "row"]
    assert tuple(rows) == ROWS


def test_ids_are_unique_and_nothing_overlaps() -> None:
    """Grafana moves panels that overlap, and loses one of two with the same id."""
    every = dashboard()["panels"]
    ids = [panel["id"] for panel in every]
    assert len(set(ids)) == len(ids)
    for one, other in combinations(every, 2):
        assert not overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: f"{panel['id']}-{panel['title']}")
def test_a_panel_says_what_it_shows(panel: Json) -> None:
    """In which unit, from where it is bad, and what it means."""
    assert faults(panel) == []


def test_what_a_panel_lacks_is_found() -> None:
    """The test above is no formality."""
    (panel, *_) = panels()
    field = {**panel["fieldConfig"]["defaults"], "unit": "rows"}
    place = {"x": 20, "y": 0, "w": 8, "h": 4}
    bare = {**panel, "description": "", "gridPos": place, "fieldConfig": {"defaults": field}}
    assert faults(bare) == ["unit", "description", "place"]
    assert overlap({"x": 0, "y": 0, "w": 8, "h": 8}, {"x": 7, "y": 7, "w": 8, "h": 8})


def test_variables_are_defined_and_used() -> None:
    """A misspelt one would be sent to Prometheus as it stands."""
    defined = {variable["name"] for variable in dashboard()["templating"]["list"]}
    assert defined == {"datasource", "job", "instance", "pipeline"}
    for query in queries():
        used = set(re.findall(r"\$(\w+)", query.expr))
        assert used <= defined | BUILT_IN, query
        assert "$" not in substituted(query.expr, "5m"), query
    every = " ".join(query.expr for query in queries())
    assert all(f"${name}" in every for name in defined - {"datasource"})


def test_kinds_of_outputs_are_real() -> None:
    """The words of a filter are ones that pipelines send."""
    for query in queries():
        for words in re.findall(r'kind=~"([^"]+)"', query.expr):
            assert set(words.split("|")) <= EVENTS


def test_each_instance_leads_to_its_live_page() -> None:
    """From the dashboard, and from the panel of each pipeline."""
    (link, _) = dashboard()["links"]
    assert link["url"] == "http://${instance:raw}/"
    (up,) = [panel for panel in panels() if panel["title"] == "Pipelines"]
    (data_link,) = up["fieldConfig"]["defaults"]["links"]
    assert data_link["url"].endswith("/#pipeline=${__field.labels.pipeline}")


def provisioned(kind: str, name: str) -> Any:
    """A provisioning file."""
    return yaml.safe_load((FOLDER / "provisioning" / kind / name).read_text(encoding="utf-8"))


def test_provisioning_finds_the_dashboard_and_its_data() -> None:
    """The folder of the dashboards is the one that they are mounted at."""
    (provider,) = provisioned("dashboards", "streamcell.yml")["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    (source,) = provisioned("datasources", "prometheus.yml")["datasources"]
    (variable,) = [one for one in dashboard()["templating"]["list"] if one["type"] == "datasource"]
    assert (source["type"], source["isDefault"]) == (variable["query"], True)
