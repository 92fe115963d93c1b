"""``streamcell evaluate``: published benchmarks by their own protocols, one command a task."""

from __future__ import annotations

import typer

from deploy.commands.evaluate.anomaly import anomaly
from deploy.commands.evaluate.forecast import forecast
from deploy.commands.evaluate.speech import speech
from deploy.commands.evaluate.tracking import tracking
from deploy.commands.evaluate.trajectories import trajectories

app = typer.Typer(no_args_is_help=True, help="Run published benchmarks by their own protocols.")
app.command("anomaly")(anomaly)
app.command("forecast")(forecast)
app.command("speech")(speech)
app.command("tracking")(tracking)
app.command("trajectories")(trajectories)
