"""How the demo speaks: steps, lines and progress bars."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

PLAIN_EVERY_S = 10.0


class Show:
    """Prints to ``console``; a pipe or a file gets lines instead of bars."""

    def __init__(self, console: Console, steps: int) -> None:
        self.console = console
        self._steps = steps
        self._step = 0
        self._began = time.monotonic()

    def step(self, title: str) -> None:
        """The next of the demo's steps begins."""
        self._step += 1
        spent = time.monotonic() - self._began
        self.console.print()
        self.console.print(
            f"[bold cyan]{self._step}/{self._steps}  {title}[/]  [dim]{spent:.0f} s[/]",
            highlight=False,
        )

    def say(self, text: str) -> None:
        """One line below the step's title; rich's markup is understood."""
        self.console.print(f"     {text}", highlight=False, soft_wrap=True)

    def block(self, text: str) -> None:
        """A file's text, as it is."""
        for line in text.splitlines():
            self.console.print(f"     [dim]│[/] {escape(line)}", highlight=False, soft_wrap=True)

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Bar]:
        """A progress bar of ``total`` units."""
        with Progress(
            TextColumn("     {task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("[dim]{task.fields[note]}[/]"),
            TimeRemainingColumn(compact=True),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        ) as progress:
            yield Bar(progress, progress.add_task(title, total=total, note=""), self, title)


class Bar:
    """A progress bar, or every ``PLAIN_EVERY_S`` a line where there is no terminal."""

    def __init__(self, progress: Progress, task: TaskID, show: Show, title: str) -> None:
        self._progress, self._task, self._show, self._title = progress, task, show, title
        self._told = time.monotonic()

    def to(self, done: int, note: str) -> None:
        """``done`` units are done; ``note`` says how it goes."""
        self._progress.update(self._task, completed=done, note=note)
        now = time.monotonic()
        if self._progress.disable and now - self._told > PLAIN_EVERY_S:
            self._told = now
            self._show.say(f"[dim]{self._title}: {note}[/]")


class TrainingBar:
    """The trainer's ``Progress``: a bar for each of its stages, until the context ends."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._open = ExitStack()
        self._bar: Bar | None = None
        self._done = 0

    def __enter__(self) -> TrainingBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def stage(self, name: str, total: int) -> None:
        """A stage of ``total`` steps begins."""
        self._open.close()
        self._bar = self._open.enter_context(self._show.bar(name, total))
        self._done = 0

    def advance(self, note: str) -> None:
        """One step of the stage is done; ``note`` says how it went."""
        self._done += 1
        if self._bar is not None:
            self._bar.to(self._done, note)
