"""Starts a demo's pipeline and waits until it listens."""

from __future__ import annotations

from contextlib import ExitStack

from deploy.demo.run import Files
from deploy.demo.runner import Runner
from deploy.demo.show import Show


def start_runner(places: Files, port: int, show: Show, open_things: ExitStack) -> Runner:
    """The pipeline of ``places``, ready; ``open_things`` ends it. Raises PipelineEndedError."""
    runner = Runner(places.config, port, places.log)
    open_things.callback(runner.kill)
    runner.start()
    runner.wait_ready()
    show.say(f"[bold]Live page[/]  {runner.page}")
    show.say(f"[bold]Metrics[/]    {runner.url}/metrics")
    return runner
