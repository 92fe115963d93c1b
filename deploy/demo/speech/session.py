"""The live part: play the sound, tell what is heard, and wait until nothing is awaited."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.markup import escape

from deploy.demo.edges import Feed
from deploy.demo.run import Files
from deploy.demo.runner import Runner
from deploy.demo.show import Bar, Show
from deploy.demo.speech.edges import SpeechEdges
from deploy.demo.speech.listener import Final, SpeechListener
from deploy.demo.speech.player import LOOK_EVERY_S, Player
from deploy.demo.speech.voices import Voice
from pipeline.errors import SourceError

READ_ON_S = 30.0
QUIET_S = 4.0  # without any words after the last sound, this is the end
TOLD_EACH_S = 2.0  # one utterance in so many seconds is printed


class Session:
    """One playing of ``voices`` through a pipeline that is ready."""

    def __init__(
        self,
        edges: SpeechEdges,
        voices: Sequence[Voice],
        feed: Feed,
        runner: Runner,
        places: Files,
        show: Show,
    ) -> None:
        self._edges, self._feed, self._runner = edges, feed, runner
        self._places, self._show = places, show
        self._player = Player(voices, feed)
        self._said = {voice.key.decode(): voice.said for voice in voices}
        self.listener = SpeechListener(edges.tail())
        self._told = 0.0
        self._crash_due = False
        self._crashed: float | None = None
        self._crash_s: float | None = None

    @property
    def bad_sent(self) -> int:
        """Records that were no sound, on purpose."""
        return self._player.bad_sent

    def run(self, *, crash: bool, stop: bool) -> float | None:
        """Play everything; with ``crash`` the pipeline is killed half-way and started again.

        ``stop`` ends the pipeline cleanly before the last count. Returns the seconds from the kill
        until it was ready again. Raises StreamcellError where the pipeline or the broker fails.
        """
        self._crash_due = crash
        self.listener.start()
        with self._show.bar("playing", round(self._player.seconds)) as bar:
            self._player.play(lambda: self._look(bar))
            self._feed.flush()
            quiet_from = time.perf_counter()
            while self._crashed or time.perf_counter() - quiet_from < QUIET_S:
                time.sleep(LOOK_EVERY_S)
                self._look(bar)
                quiet_from = max(quiet_from, self.listener.last_heard)
        if stop:
            self._runner.stop()
        if not self.listener.finish(READ_ON_S):
            raise SourceError(
                f"the words could not be read to their end within {READ_ON_S:g} s; see the "
                "broker's log"
            )
        self._raise_failure()
        return self._crash_s

    def close(self) -> None:
        """Stop listening; twice is fine."""
        self.listener.leave()

    def _look(self, bar: Bar) -> None:
        self._raise_failure()
        if self._crash_due and self._player.played_s > self._player.seconds / 2:
            self._crash()
        elif self._crashed is not None:
            if self._runner.ready():
                self._crash_s = time.perf_counter() - self._crashed
                self._crashed = None
                self._show.say(f"[bold green]✓ listening again[/] {self._crash_s:.1f} s after it")
        else:
            self._runner.check()
        self._tell()
        finals = len(self.listener.finals)
        bar.to(round(self._player.played_s), f"{finals} strings heard")

    def _tell(self) -> None:
        """Print an utterance now and then."""
        now = time.perf_counter()
        while self.listener.fresh:
            final = self.listener.fresh.popleft()
            if now - self._told >= TOLD_EACH_S:
                self._told = now
                self._show.say(self._line(final))

    def _line(self, final: Final) -> str:
        """One utterance: green if all is right, else with what was said."""
        said = [
            one.text
            for one in self._said[final.stream]
            if one.start_s < final.end_s and final.start_s < one.end_s
        ]
        head = f"[dim]{escape(final.stream)} {final.start_s:5.1f} s[/]  "
        tail = f"  [dim]{final.confidence:.0%}, {final.latency_ms:.0f} ms[/]"
        if final.text == " ".join(said):
            return f"{head}[bold green]{final.text}[/]{tail}"
        return f"{head}[bold]{final.text}[/]  [dim]said:[/] {' / '.join(said) or '–'}{tail}"

    def _crash(self) -> None:
        self._crash_due = False
        self._show.say("[bold red]✗ killing the pipeline (SIGKILL)[/], and starting it again")
        self._crashed = time.perf_counter()
        self._runner.crash()
        self._edges.after_crash(self._places.config, self._places.model, self._runner.port)
        self._runner.start()

    def _raise_failure(self) -> None:
        if self.listener.failure is not None:
            raise self.listener.failure
