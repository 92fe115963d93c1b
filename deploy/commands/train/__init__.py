"""``streamcell train``: from rows, sound or tracks to a bundle and a report; one command a task."""

from __future__ import annotations

import typer

from deploy.commands.train.anomaly import anomaly
from deploy.commands.train.forecast import forecast
from deploy.commands.train.speech import speech
from deploy.commands.train.tracking import tracking

app = typer.Typer(no_args_is_help=True, help="Train a model and export it as a bundle.")
app.command("anomaly")(anomaly)
app.command("forecast")(forecast)
app.command("speech")(speech)
app.command("tracking")(tracking)
