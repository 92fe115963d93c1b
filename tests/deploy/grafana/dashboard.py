"""The dashboard's file, and the queries in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.shared import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "grafana"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, where it stands, and the text that names its series."""

    title: str
    expr: str
    legend: str


@cache
def dashboard() -> Json:
    """The file as it is."""
    path = FOLDER / "dashboards" / "streamcell.json"
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found


def panels() -> list[Json]:
    """Everything but the headings of rows."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[Query]:
    """Those of panels and of annotations."""
    shown = [
        Query(panel["title"], target["expr"], target["legendFormat"])
        for panel in panels()
        for target in panel["targets"]
    ]
    notes = dashboard()["annotations"]["list"]
    return shown + [Query(note["name"], note["expr"], note["textFormat"]) for note in notes]


def substituted(expr: str, window: str) -> str:
    """As Grafana sends it, with everything chosen."""
    expr = expr.replace("$__rate_interval", window)
    for variable in dashboard()["templating"]["list"]:
        expr = expr.replace(f'"${variable["name"]}"', '".*"')
    return expr
