"""``streamcell demo``: the whole way, from training to what comes out, on a shipped sample."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.errors import ConfigError
from pipeline.logs import configure_logs

NEEDED = ("torch", "onnx", "onnxscript", "onnxruntime", "matplotlib")
FOR_CAMERAS = ("av", "cv2", "lap")


class Task(StrEnum):
    """The demos there are."""

    anomaly = "anomaly"
    forecast = "forecast"
    speech = "speech"
    tracking = "tracking"


def demo(
    task: Annotated[
        Task,
        typer.Argument(
            help="Alarms of a machine's temperature, a city's taxi demand, spoken digits, or "
            "people before cameras."
        ),
    ] = Task.anomaly,
    out: Annotated[
        Path, typer.Option(help="Folder for everything the demo writes; emptied at the start.")
    ] = Path("demo-out"),
    broker: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Use a Kafka that is there already (without TLS); the demo makes topics of its "
            "own, which stay. Default: an embedded broker that ends with the demo.",
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave broker and pipeline running until Ctrl-C.")
    ] = False,
    crash: Annotated[
        bool,
        typer.Option("--crash", help="Kill the pipeline half-way (SIGKILL) and start it again."),
    ] = False,
    streams: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=20_000,
            help="Live streams. Default: 300; forecast: 100; speech: 24; tracking: 4 cameras, "
            "which is the most.",
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            min=50,
            help="Readings of each stream. Default: 7,200 of 9,754; forecast: 1,008 of 3,646,"
            " after the 384 that fill the model's look-back.",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=1, help="Rows a second to play. Default: 20,000; forecast: 2,000."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs of training at most; fewer is quicker and worse."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of training, copies and faults.")] = 0,
    files: Annotated[
        bool, typer.Option("--files", help="Stream from files, without any broker.")
    ] = False,
) -> None:
    """Train on a real series, export, stream, and see what comes out and the counts.

    anomaly (the default): an LSTM learns the first weeks of a machine's
    temperatures. The later weeks are played as 300 live streams through a
    Kafka broker and the pipeline, exactly once: the real machine, and altered
    copies with known faults. forecast: it learns months of a city's taxi
    demand and foresees each half hour of the next day, with quantiles, for
    100 live streams. Both series are of the Numenta Anomaly Benchmark. speech:
    it learns spoken digits, which 24 microphones then hear in real time and in
    noise, from recordings kept aside (Free Spoken Digit Dataset). tracking:
    drawn people walk before four cameras, and are found, followed and counted
    at a line. At the end everything is counted from the outputs. Exits with 1 if anything was
    lost or doubled. Takes a few minutes on two cores.

    Examples:
      streamcell demo

      streamcell demo forecast

      streamcell demo speech

      streamcell demo tracking

      streamcell demo --crash

      streamcell demo forecast --keep

      streamcell demo --broker localhost:9092 --streams 50 --rows 2000

    """
    if files and broker is not None:
        raise ConfigError("streamcell demo", ["--files and --broker exclude each other"])
    cameras = task is Task.tracking
    needed = (*NEEDED, *FOR_CAMERAS) if cameras else NEEDED
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        extras = "cpu,fast,train,camera" if cameras else "cpu,fast,train"
        raise ConfigError(
            "streamcell demo",
            [
                f"{', '.join(missing)} not installed; the demo trains and runs a model: "
                f"pip install 'streamcell[{extras}]'"
            ],
        )
    command, console = shlex.join(["streamcell", *sys.argv[1:]]), Console()
    # Training's libraries take seconds to import; other commands do without.
    try:
        if task in (Task.speech, Task.tracking):
            given = {"--rows": rows, "--rate": rate, "--files": files or None}
            if used := [name for name, value in given.items() if value is not None]:
                problem = f"{', '.join(used)} not understood: it is played in real time"
                raise ConfigError(f"streamcell demo {task.value}", [problem])
        if task is Task.tracking:
            configure_logs("warning", "auto")
            from deploy.demo.tracking.flow import Options as TrackingOptions
            from deploy.demo.tracking.flow import run_tracking_demo

            good = run_tracking_demo(
                TrackingOptions(out, broker, streams, epochs, seed, keep, crash, command), console
            )
        elif task is Task.speech:
            from deploy.demo.speech.flow import Options as SpeechOptions
            from deploy.demo.speech.flow import run_speech_demo

            good = run_speech_demo(
                SpeechOptions(out, broker, streams, epochs, seed, keep, crash, command), console
            )
        else:
            from deploy.demo.acts import act_of
            from deploy.demo.flow import Options, run_demo

            act = act_of(
                "forecast" if task is Task.forecast else "anomaly",
                rows=rows,
                epochs=epochs,
                seed=seed,
                command=command,
            )
            options = Options(out, broker, streams, rate, seed, keep, crash, files)
            good = run_demo(act, options, console)
    except KeyboardInterrupt:
        console.print("\nInterrupted; the pipeline and the broker of the demo have ended too.")
        raise typer.Exit(130) from None
    if not good:
        raise typer.Exit(1)
