"""``python -m deploy.sample``: what the compose file trains on and plays."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from deploy.demo.anomaly.sample import load_sample
from deploy.demo.anomaly.streams import make_streams
from deploy.demo.transport import client
from deploy.sample.machines import report
from deploy.signals import on_signals

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command()
def rows(file: Annotated[Path, typer.Argument(help="CSV file to write.")]) -> None:
    """Write the machine's earlier weeks, to train on."""
    train = load_sample().train
    times = train.times.astype("datetime64[us]")
    lines = [f"{at}Z,{value:.3f}\n" for at, value in zip(times, train.values[:, 0], strict=True)]
    file.write_text(f"time,{train.features[0]}\n" + "".join(lines), encoding="utf-8")


@app.command()
def play(
    brokers: Annotated[str, typer.Argument(help="Bootstrap servers, host:port.")],
    topic: Annotated[str, typer.Argument(help="Topic of the rows, which is there already.")],
    machines: Annotated[int, typer.Option(min=1, help="How many of them report.")] = 40,
    partitions: Annotated[int, typer.Option(min=1, help="How many the topic has.")] = 4,
    every: Annotated[float, typer.Option(min=0.001, help="Seconds between readings.")] = 1.0,
) -> None:
    """Send a reading of every machine now and again, until SIGTERM."""
    streams = make_streams(load_sample(), machines, seed=0)
    stop = threading.Event()
    feed = client().feed(brokers, topic)
    try:
        with on_signals(lambda _: stop.set()):
            report(streams, feed, stop, partitions=partitions, every_s=every)
    finally:
        feed.close()


if __name__ == "__main__":
    app()
