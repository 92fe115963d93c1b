"""The loop: poll, schedule, step, report, commit. The only place that runs over the stages.

::

    source ──► intake ──► scheduler ──► engine ──► head ──► sink
                 │                       ▲  │
                 └──────► slot pool ◄────┴──┘
                              │
                              ▼
                          snapshots
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from pipeline.block import Batch, Records, Reject
from pipeline.clock import ClockColumn
from pipeline.commit import Committer, Every
from pipeline.dead_letters import DeadLetters
from pipeline.engines.base import Engine
from pipeline.errors import SourceError, StreamcellError
from pipeline.heads.base import Head
from pipeline.intake import Intake
from pipeline.metrics import Metrics
from pipeline.monitor.health import Vitals
from pipeline.monitor.live import LiveView
from pipeline.order import in_order
from pipeline.partitions import Partitions
from pipeline.pool import SlotPool
from pipeline.report import Report
from pipeline.schedule import Scheduler
from pipeline.silence import Ending, Silence
from pipeline.sinks.base import Sink
from pipeline.snapshots import Snapshots
from pipeline.sources.base import LogRange, Positions, Source
from pipeline.step import Rows
from pipeline.tracking.step import Frames
from pipeline.tracking.tracker import Tracker

# A broker that is away holds up outputs, and then the commit of offsets.
DELIVERY_MOST_S = 180.0
IDLE_S = 0.1  # longest wait for a row, so that stop and commit are never late by more


@dataclass(frozen=True, slots=True)
class Options:
    """How the loop treats rows.

    ``max_rows`` bounds a batch. ``ordered``: a row whose time is not after its stream's last goes
    to the dead letters. ``idle_ttl_us``: a stream ends where its partition goes on for longer
    without it; 0 is never. ``kinds``: the outputs that are sent, None is all; ``omit``: their
    columns that are not. ``features`` name the values in dead letters; ``clock`` are the columns
    that follow them in the engine's x.
    """

    features: tuple[str, ...]
    max_rows: int = 1024
    commit_every_s: float = 0.2
    ordered: bool = False
    idle_ttl_us: int = 0
    kinds: frozenset[str] | None = None
    omit: frozenset[str] = frozenset()
    clock: tuple[ClockColumn, ...] = ()


class Loop:
    """Runs one pipeline in the calling thread; owns the order of things, no stream's state."""

    def __init__(
        self,
        *,
        source: Source,
        sink: Sink,
        engine: Engine,
        head: Head | Tracker,
        pool: SlotPool,
        partitions: Partitions,
        snapshots: Snapshots,
        committer: Committer,
        metrics: Metrics,
        view: LiveView,
        vitals: Vitals,
        options: Options,
    ) -> None:
        self._source, self._sink, self._engine, self._head = source, sink, engine, head
        self._pool, self._partitions, self._snapshots = pool, partitions, snapshots
        self._committer, self._metrics, self._view = committer, metrics, view
        self._vitals, self._options = vitals, options
        self._scheduler = Scheduler(pool.capacity)
        self._silence = Silence(options.idle_ttl_us, pool, snapshots, partitions)
        self._dead_letters = DeadLetters(source.topic, options.features, partitions)
        self._stepper: Rows | Frames
        tracks = None
        if isinstance(head, Tracker):
            self._stepper = frames = Frames(
                engine,
                head,
                pool,
                self._dead_letters,
                metrics,
                options.max_rows,
                replayable=source.replayable,
            )
            tracks = frames.live
        else:
            self._stepper = Rows(engine, head, pool, self._dead_letters, metrics, options.clock)
        self._intake = Intake(
            source.topic,
            pool,
            self._scheduler,
            partitions,
            snapshots,
            self._dead_letters,
            metrics,
            self._silence,
            self._commit,
        )
        self._report = Report(source, pool, partitions, snapshots, metrics, view, vitals, tracks)
        self._committed: Positions = {}
        self._sent = False  # outputs since the last commit
        self._every = Every(options.commit_every_s)

    def run(self, stop: threading.Event) -> None:
        """Run until ``stop`` is set or the source has finished; then deliver, commit and save.

        An error leaves everything uncommitted as it is: the next start recovers from the last
        commit. Raises what the parts raise.
        """
        with ExitStack() as parts:  # all are closed, also where closing one of them fails
            for part in (self._engine, self._snapshots, self._sink, self._source):
                parts.callback(part.close)
            if not self._opened(stop):
                return
            while not stop.is_set():
                self._vitals.beat()
                self._fill()
                batch = self._scheduler.next_round(self._options.max_rows, self._pool.key)
                if batch is not None:
                    self._step(batch)
                elif not self._intake and self._source.finished():
                    break
                if self._every.due():
                    self._commit()
            self._finish()

    def _opened(self, stop: threading.Event) -> bool:
        """Open sink and source, however long their brokers are away; False if told to stop."""
        self._vitals.beat(math.inf)
        try:
            self._vitals.wait("start", "the sink and the source are not open yet")
            self._sink.open()
            self._vitals.wait("start", "no partitions are assigned yet")
            self._source.open(self)
        except StreamcellError:
            if stop.is_set():
                return False  # nothing was read yet that could be lost
            raise
        return True

    # Partitions come and go: called by the source, from within open and poll.

    def assigned(self, ranges: Mapping[int, LogRange]) -> Positions:
        """Load the new partitions' streams and say where to start reading."""
        self._metrics.rebalanced()
        starts = self._partitions.take(ranges)
        self._vitals.wait("recovery", "just assigned")
        self._vitals.done("start")
        return starts

    def revoked(self, partitions: Sequence[int]) -> None:
        """Finish, commit and save everything, then let the partitions go."""
        self._metrics.rebalanced()
        self._finish()
        self._partitions.drop(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        """Another instance has them already: only a fresh start knows what it has done."""
        self._metrics.rebalanced()
        names = ", ".join(f"{self._source.topic}-{number}" for number in partitions)
        raise SourceError(
            f"{names}: the group gave these partitions to another instance while this one was "
            "not polling; nothing was committed for them since. Start again to recover; if it "
            "happens often, raise source.session_timeout_ms or lower engine.max_rows"
        )

    # The stages.

    def _fill(self) -> None:
        """Schedule rows until a full batch waits or nothing is at hand."""
        if not self._intake and self._scheduler.waiting < self._options.max_rows:
            self._send_rejects(self._dead_letters.take())
            wait = 0.0 if self._scheduler.waiting else min(IDLE_S, self._every.left_s())
            with self._metrics.stage("poll"):
                polled = self._source.poll(wait)
            if polled:
                self._intake.add(polled)
                self._metrics.polled(sum(map(len, polled.blocks)) + len(polled.rejects))
        while self._intake and self._scheduler.waiting < self._options.max_rows:
            with self._metrics.stage("schedule"):
                self._intake.admit()

    def _step(self, batch: Batch) -> None:
        """One round: engine and head for its rows, then its streams' ends."""
        self._report_ended(self._silence.before(batch))
        if self._options.ordered:
            batch = in_order(batch, self._pool.time[batch.slot], self._dead_letters)
        rows = batch.rows(~batch.end) if batch.end.any() else batch
        outputs = self._stepper.step(rows, self._scheduler.round) if len(rows) else []
        if len(rows) < len(batch):
            outputs += self._end(batch.rows(batch.end))
        self._view.observe(rows, outputs)
        self._send(outputs)

    def _report_ended(self, silent: Sequence[Ending]) -> None:
        """Report what was open in streams that ended by silence."""
        for batch, state in silent:
            outputs = self._head.end(batch, state)
            self._view.observe(batch.rows(np.empty(0, np.int64)), outputs)
            self._send(outputs)
            self._metrics.ended(len(batch))

    def _end(self, batch: Batch) -> list[Records]:
        """End streams: report what is open in them, give their slots back."""
        outputs = self._head.end(batch, self._pool.head[batch.slot])
        self._snapshots.ended(batch.slot)
        waiting = self._scheduler.more(batch.slot)
        self._pool.reset(batch.slot[waiting])  # its next row begins it anew, in the same slot
        self._pool.release(batch.slot[~waiting])
        self._metrics.ended(len(batch))
        return outputs

    def _send(self, outputs: list[Records]) -> None:
        """Hand the wanted outputs of live rows to the sink."""
        kinds = self._options.kinds
        for found in outputs:
            records = found if found.live.all() else found.rows(found.live)
            if len(records) and (kinds is None or records.kind in kinds):
                self._vitals.beat(DELIVERY_MOST_S)
                with self._metrics.stage("send"):
                    self._sink.send(records.without(self._options.omit))
                self._vitals.beat()
                self._metrics.sent(records)
                self._sent = True

    def _send_rejects(self, rejects: Sequence[Reject]) -> None:
        if rejects:
            self._vitals.beat(DELIVERY_MOST_S)
            self._sink.reject(rejects)
            self._vitals.beat()
            self._view.rejected(rejects)
            self._metrics.rejected(rejects)
            self._sent = True

    # Commits.

    def _commit(self) -> None:
        """Step what is scheduled, end what fell silent, commit up to the first row that waits."""
        while batch := self._scheduler.next_round(self._options.max_rows, self._pool.key):
            self._step(batch)
        self._report_ended(self._silence.due())
        read = self._source.positions()
        positions = self._intake.positions(read)
        self._send_rejects(self._dead_letters.take(before=positions))
        offsets = self._partitions.committable(positions)
        if self._sent or offsets != self._committed:
            self._vitals.beat(DELIVERY_MOST_S)
            try:
                with self._metrics.stage("commit"):
                    self._committer.commit(offsets, positions)
            except StreamcellError:
                self._metrics.commit_failed()
                raise
            self._vitals.beat()
            self._metrics.committed()
            self._committed, self._sent = offsets, False
        else:
            self._snapshots.advance(positions)
        # What was read to the log's end may still wait for a slot.
        ends = self._source.at_end()
        ends = {p: ends[p] and positions[p] == read[p] for p in ends.keys() & read.keys()}
        self._partitions.observe(positions, ends)
        self._report.committed(positions)
        self._every.reset()

    def _finish(self) -> None:
        """Everything polled is stepped, delivered, committed and saved."""
        while self._intake:
            self._intake.admit()
        self._commit()
        with self._metrics.stage("snapshot"):
            self._snapshots.finish(self._intake.positions(self._source.positions()))
