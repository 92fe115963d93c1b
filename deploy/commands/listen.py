"""``streamcell listen``: what a speech bundle hears, live in the terminal."""

from __future__ import annotations

import sys
import tempfile
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console

from deploy.listen.lines import LinesSink
from deploy.listen.screen import Screen
from deploy.listen.tap import EndingSource, Tap
from deploy.listen.text import printable_lines
from deploy.signals import on_signals
from pipeline.assemble import assemble
from pipeline.bundle import read_model
from pipeline.config import PipelineConfig
from pipeline.errors import BundleError
from pipeline.logs import configure_logs
from pipeline.monitor.health import Vitals
from pipeline.sinks.base import Sink
from pipeline.sources.base import Source
from pipeline.sources.microphone import input_devices, listing

COMMIT_EVERY_MS = 1000  # nothing waits for a commit here


def listen(
    model: Annotated[
        Path | None, typer.Argument(help="A speech bundle, as `streamcell train speech` writes it.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="Number of the microphone, or a part of its name; default: the system's."
        ),
    ] = None,
    channels: Annotated[
        int, typer.Option(min=1, max=256, help="Channels to listen to, each a stream.")
    ] = 1,
    rate: Annotated[
        int | None,
        typer.Option(
            min=1000, max=768_000, help="Rate to record at, in Hz; default: the device's own."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Listen to an audio file or a folder of them, in real time."),
    ] = None,
    gate: Annotated[
        Path | None, typer.Option(help="A voice activity detector in front of the model.")
    ] = None,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="List the microphones and stop.")
    ] = False,
) -> None:
    """Show what a speech bundle hears: a level meter, partial words in grey, final ones, keywords.

    Into a pipe it writes a plain line for each final text and keyword. Ctrl-C ends it, with the
    words said last; a second one at once. Nothing is recorded, and no state is kept.

    Examples:
      streamcell listen --list-devices

      streamcell listen digits.onnx

      streamcell listen wake.onnx --device "USB" --channels 2

      streamcell listen digits.onnx --file meeting.flac > meeting.txt

    """
    if list_devices:
        typer.echo(printable_lines(listing(input_devices())))
        return
    if model is None:
        raise typer.BadParameter("name a speech bundle, or give --list-devices")
    found = read_model(model)
    if found.manifest.task != "speech":
        raise BundleError(
            f"{found.path}: listening is for speech bundles, this one is for the task "
            f"{found.manifest.task!r}; `streamcell run` serves it"
        )
    terminal = sys.stdout.isatty()
    configure_logs("error" if terminal else "warning", "auto")
    with tempfile.TemporaryDirectory(prefix="streamcell-listen-") as folder:
        source = _source(device, channels, rate, file)
        config = _config(model, gate, source, folder)
        _run(config, terminal=terminal)


def _source(
    device: str | None, channels: int, rate: int | None, file: Path | None
) -> dict[str, Any]:
    if file is not None:
        return {"type": "audio", "path": str(file.absolute()), "realtime": True}
    source: dict[str, Any] = {"type": "microphone", "channels": channels, "sample_rate_hz": rate}
    if device is not None:
        source["device"] = int(device) if device.isdecimal() else device
    return source


def _config(model: Path, gate: Path | None, source: dict[str, Any], folder: str) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "name": "listen",
            "model": str(model.absolute()),
            "commit_every_ms": COMMIT_EVERY_MS,
            "source": source,
            "sink": {"type": "console", "emit": "all"},
            "gate": {"model": str(gate.absolute())} if gate is not None else None,
            "state": {"path": f"{folder}/listen.sqlite", "slots": 4096},
        }
    )


def _run(config: PipelineConfig, *, terminal: bool) -> None:
    """Listen until the source or the user ends it."""
    stop, taps = threading.Event(), []
    vitals: list[Vitals] = []

    def tap(source: Source) -> Source:
        # Both sources that this command configures can end.
        taps.append(Tap(cast("EndingSource", source)))
        return taps[0]

    def troubles() -> list[str]:
        found = vitals[0]().waiting if vitals else ()
        return [trouble for trouble in found if trouble.startswith("microphone")]

    sink: Sink = LinesSink(sys.stdout, sys.stderr)
    if terminal:
        sink = Screen(Console(), lambda: taps[0].levels if taps else {}, troubles)
    parts = assemble(config, Path(), stop, sink=sink, tap=tap)
    vitals.append(parts.vitals)
    with _ended_by_signals(taps[0], stop):
        parts.loop.run(stop)


def _ended_by_signals(tap: Tap, stop: threading.Event) -> AbstractContextManager[None]:
    """The first signal lets the streams end, the second ends the loop."""
    asked = threading.Event()

    def told(_: int) -> None:
        if asked.is_set():
            stop.set()
        asked.set()
        tap.end()

    return on_signals(told)
