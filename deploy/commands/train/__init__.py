"""``streamcell train``: from rows or sound to a bundle and a report, a command for each task."""

from __future__ import annotations

import typer

from deploy.commands.train.anomaly import anomaly
from deploy.commands.train.forecast import forecast
from deploy.commands.train.speech import speech

app = typer.Typer(no_args_is_help=True, help="Train a model and export it as a bundle.")
app.command("anomaly")(anomaly)
app.command("forecast")(forecast)
app.command("speech")(speech)
