"""How a demo ends: at once when told so, or when the user has seen enough."""

from __future__ import annotations

import signal
import time
from contextlib import AbstractContextManager

from rich.markup import escape

from deploy.demo.player import LOOK_EVERY_S
from deploy.demo.runner import Runner
from deploy.demo.show import Show
from deploy.signals import on_signals


def keep_up(show: Show, runner: Runner, example: str = "") -> None:
    """Wait for Ctrl-C, then stop cleanly; raises PipelineEndedError if the pipeline ends.

    ``example`` is a command that sends a row, where there is one.
    """
    show.console.print()
    show.say("[bold]Everything stays up. Ctrl-C ends it.[/]")
    show.say(f"[bold]Live page[/]  {runner.page}")
    show.say(f"[bold]Metrics[/]    {runner.url}/metrics")
    if example:
        show.say("[bold]Send a row of your own:[/]")
        show.say(f"  [cyan]{escape(example)}[/]")
    try:
        while True:
            runner.check()
            time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        show.say("stopping")
        runner.stop()


def terminated() -> AbstractContextManager[None]:
    """SIGTERM ends the demo as Ctrl-C does, with everything that it started."""

    def told(_: int) -> None:
        raise KeyboardInterrupt

    return on_signals(told, [signal.SIGTERM])
