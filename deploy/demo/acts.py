"""The demos by their task."""

from __future__ import annotations

from typing import Literal

from deploy.demo.act import Act
from deploy.demo.anomaly.act import AnomalyAct
from deploy.demo.forecast.act import ForecastAct

Task = Literal["anomaly", "forecast"]


def act_of(task: Task, *, rows: int | None, epochs: int | None, seed: int, command: str) -> Act:
    """The demo of ``task``; where ``rows`` or ``epochs`` are None its own defaults hold."""
    wanted = {"rows": rows, "epochs": epochs}
    chosen = {name: value for name, value in wanted.items() if value is not None}
    if task == "forecast":
        return ForecastAct(seed=seed, command=command, **chosen)
    return AnomalyAct(seed=seed, command=command, **chosen)
