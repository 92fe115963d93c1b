"""The live part: play the rows, listen to the outputs, and count until nothing is awaited."""

from __future__ import annotations

import time
from dataclasses import dataclass

from deploy.demo.act import Act
from deploy.demo.bad_rows import BadRow
from deploy.demo.counter import Counter, Counts
from deploy.demo.edges import Feed
from deploy.demo.player import LOOK_EVERY_S, Player
from deploy.demo.runner import Runner
from deploy.demo.show import Bar, Show
from deploy.demo.streams import Streams
from deploy.demo.transport import Transport
from pipeline.errors import SourceError

SILENCE_S = 45.0  # how long outputs may stay away before they count as lost
READ_ON_S = 30.0  # for the outputs to be read to their end


@dataclass(frozen=True, slots=True)
class Played:
    """What the live part gave; see ``Outcome``."""

    counts: Counts
    seconds: float
    waited_s: float
    crash_s: float | None


class Session:
    """One playing of ``streams`` through a pipeline that is ready."""

    def __init__(
        self,
        act: Act,
        streams: Streams,
        transport: Transport,
        feed: Feed,
        runner: Runner,
        show: Show,
        *,
        rate: float,
        bad: dict[int, list[BadRow]],
    ) -> None:
        self._streams, self._feed, self._runner, self._show = streams, feed, runner, show
        self._transport = transport
        partitions = transport.partitions
        most = streams.rows * -(-len(streams) // partitions) + sum(map(len, bad.values()))
        self._counter = Counter(partitions, most)
        self._player = Player(
            streams, feed, self._counter, partitions=partitions, rate=rate, bad=bad
        )
        self._crash_at: int | None = None
        self._crashed = 0.0
        self._recovering = False
        self._answered_at_ready: int | None = None
        self._crash_s: float | None = None
        self._outputs = act.scene.outputs
        self.listener = act.listener(transport.tail(), self._counter)
        self._ticker = act.ticker(show)

    def run(self, *, crash: bool, stop: bool) -> Played:
        """Play everything; with ``crash`` the pipeline is killed half-way and started again.

        ``stop`` ends the pipeline cleanly before the last count, so that what it puts out at its
        end is counted too. Raises StreamcellError where the pipeline or the broker fails.
        """
        self._crash_at = self._streams.rows // 2 if crash else None
        self.listener.start()
        began = time.perf_counter()
        with self._show.bar("playing", self._streams.rows) as bar:
            self._player.play(lambda: self._look(bar))
            self._feed.flush()
            self._drain(bar)
        seconds = self.listener.last_heard - began
        if stop:
            self._runner.stop()
        if not self.listener.finish(READ_ON_S):
            raise SourceError(
                f"the outputs could not be read to their end within {READ_ON_S:g} s; see the "
                "broker's log"
            )
        self._raise_failure()
        self._ticker.tell()
        self._ticker.summary()
        return Played(self._counter.counts(), seconds, self._player.waited_s, self._crash_s)

    def close(self) -> None:
        """Stop listening; twice is fine."""
        self.listener.leave()

    def _drain(self, bar: Bar) -> None:
        """Wait until everything is answered, or nothing has come for a while."""
        began = time.perf_counter()
        while self._recovering or self._counter.outstanding > 0:
            time.sleep(LOOK_EVERY_S)
            self._look(bar)
            if time.perf_counter() - max(began, self.listener.last_heard) > SILENCE_S:
                return

    def _look(self, bar: Bar) -> None:
        self._raise_failure()
        if self._crash_at is not None and self._player.row >= self._crash_at:
            self._crash()
        elif self._recovering:
            self._await_recovery()
        else:
            self._runner.check()
        self._ticker.tell()
        counter = self._counter
        note = f"{counter.answered_rows:,} {self._outputs}, {counter.outstanding:,} on their way"
        bar.to(self._player.row, note + self.listener.note())

    def _crash(self) -> None:
        self._crash_at = None
        self._crashed = time.perf_counter()
        self._show.say("[bold red]✗ killing the pipeline (SIGKILL)[/], and starting it again")
        self._runner.crash()
        note = self._transport.after_crash(self._runner.config, self._runner.port)
        if note:
            self._show.say(f"[dim]{note}[/]")
        self._runner.start()
        # The machines go on measuring, whatever happens here.
        self._player.waits = False
        self._recovering = True

    def _await_recovery(self) -> None:
        """Over when it is ready and outputs come again; a group first misses its dead member."""
        if not self._runner.ready():
            return
        answered = self._counter.answered_rows
        if self._answered_at_ready is None:
            self._answered_at_ready = answered
        if answered == self._answered_at_ready and self._counter.outstanding > 0:
            return
        self._recovering = False
        self._player.waits = True
        self._crash_s = time.perf_counter() - self._crashed
        self._show.say(
            f"[bold green]✓ outputs come again[/] {self._crash_s:.1f} s after the kill, none of "
            "them for the second time"
        )

    def _raise_failure(self) -> None:
        if self.listener.failure is not None:
            raise self.listener.failure
