"""Words on a terminal: final ones scroll up, running ones are grey, and a meter shows the level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from deploy.listen.heard import Heard, heard
from deploy.listen.tap import Level
from deploy.listen.text import bar, clock, decibels, printable
from pipeline.block import Records, Reject
from pipeline.errors import SinkError

SHOWN = 8  # streams with a meter, those heard last
METER = 24  # characters
LOUD_DB = -6.0
REFRESHES_PER_SECOND = 12


class Screen:
    """A sink that draws. ``levels`` and ``troubles`` are asked for whenever it draws."""

    def __init__(
        self,
        console: Console,
        levels: Callable[[], Mapping[str, Level]],
        troubles: Callable[[], Sequence[str]],
    ) -> None:
        self._console = console
        self._levels, self._troubles = levels, troubles
        self._partial: dict[str, str] = {}
        self._live = Live(
            get_renderable=self.picture,
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
        )

    def open(self) -> None:
        """Begin to draw."""
        self._live.start()

    def send(self, records: Records) -> None:
        """Show words."""
        for one in heard(records):
            if one.kind == "partial":
                self._partial = {**self._partial, one.stream: one.text}
                continue
            if one.kind == "final":
                self._partial = {**self._partial, one.stream: ""}
            self._print(self.line(one))

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Say what could not be heard."""
        for one in rejects:
            self._print(Text(f"rejected: {printable(one.reason)}", "yellow"))

    def flush(self) -> None:
        """What was sent is on the screen."""

    def close(self) -> None:
        """Stop drawing; twice is fine."""
        self._live.stop()

    def line(self, one: Heard) -> Text:
        """A final text or a keyword as it stays on the screen."""
        text = Text()
        text.append(f"{clock(one.start_s):>7}  ", "dim")
        if len(self._levels()) > 1:
            text.append(f"{printable(one.stream)}  ", "cyan")
        text.append(printable(one.text), "bold green" if one.kind == "keyword" else "bold")
        if one.score is not None:
            text.append(f"  {one.score:.2f}", "dim")
        return text

    def picture(self) -> Group:
        """The streams heard last, and what is wrong."""
        levels, partial = self._levels(), self._partial
        live = [(name, level) for name, level in levels.items() if not level.ended]
        streams = [self._stream(name, level, partial) for name, level in live[-SHOWN:]]
        troubles = [Text(printable(trouble), "bold red") for trouble in self._troubles()]
        return Group(*streams, *troubles)

    def _stream(self, name: str, level: Level, partial: Mapping[str, str]) -> Text:
        loud = decibels(level.peak) > LOUD_DB
        colour = "red" if level.clipping else "yellow" if loud else "green"
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{printable(name)[:20]:>7} ", "cyan")
        text.append(f"▕{bar(level.rms, METER)}▏", colour)
        text.append(" CLIP" if level.clipping else f"{decibels(level.rms):4.0f}", colour)
        text.append(f"  {printable(partial.get(name, ''))}", "dim italic")
        return text

    def _print(self, text: Text) -> None:
        try:
            self._console.print(text)
        except (OSError, ValueError) as error:
            raise SinkError(f"the terminal can't be written: {error}") from error
