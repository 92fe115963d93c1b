"""What the live page shows: kept in bounded memory, fed by the loop once per batch.

The loop's thread calls ``observe``, ``rejected`` and ``status``; the monitor's thread calls
``changes`` and ``search``. They share a lock that is held for copies of small arrays only, never
while the engine runs. Counting every batch costs microseconds; everything finer (points of the
watched streams, latencies) has a budget, a share of the wall clock, and samples when it is spent.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipeline.block import Batch, Records, Reject
from pipeline.heads.forecast import KIND as FORECAST
from pipeline.manifest import Feature
from pipeline.monitor.alarms import Alarms
from pipeline.monitor.cursor import Cursor
from pipeline.monitor.dead import DeadLetters
from pipeline.monitor.hearing import KINDS as HEARD
from pipeline.monitor.hearing import LEVELS, Hearing
from pipeline.monitor.history import SECONDS, History
from pipeline.monitor.names import key_of, search
from pipeline.monitor.outlook import Outlook
from pipeline.monitor.quality import Quality
from pipeline.monitor.recent import Stepped, bytes_of
from pipeline.monitor.sights import FRAME, Sights
from pipeline.monitor.sights import KINDS as SIGHTED
from pipeline.monitor.status import Status
from pipeline.monitor.watch import ASKED, EVENT, MAX_FEATURES, Watch

LATENCY_SAMPLE = 64  # rows of a batch
LOOK_ROWS = 8192
LOOK_BYTES = 16 << 20  # of what was put out
LOOK_EVERY_S = 0.05
MAX_CREDIT_S = 0.05
SEARCH_LIMIT = 50
SUMMED = ("from", "rows", "rejects", "events", "p99")  # of the seconds, in a summary


class LiveView:
    """The live page's memory of one pipeline.

    ``features`` are the manifest's, ``outlook`` tells of a forecast what is shown, ``hearing`` of
    speech, ``sights`` of cameras; ``budget`` is the share of the wall clock that ``observe`` may
    take for more than counting; ``clock`` gives seconds since 1970.
    """

    def __init__(
        self,
        pipeline: str,
        features: Sequence[Feature],
        clock: Callable[[], float] = time.time,
        budget: float = 0.01,
        outlook: Outlook | None = None,
        hearing: Hearing | None = None,
        sights: Sights | None = None,
    ) -> None:
        if hearing is not None and hearing.sound:
            features = LEVELS  # a chart of samples tells nobody anything
        if sights is not None:
            features = FRAME  # nor does one of the corners of boxes
        self._pipeline = pipeline
        self._features = [
            {"name": item.name, "unit": item.unit} for item in features[:MAX_FEATURES]
        ]
        self._clock = clock
        self._boot = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._status: Status = {}
        self._history = History()
        self._outlook = outlook
        self._hearing = hearing
        self.sights = sights
        self._quality = Quality(() if outlook is None else outlook.scored)
        self._watch = Watch(len(features), outlook)
        self._alarms = Alarms()
        self._dead = DeadLetters()
        self._budget = budget
        self._credit_s = 0.0
        self._credited_s = time.perf_counter()
        self._next_look_s = 0.0
        # Batches not yet looked through; all of them came in the second ``_second``.
        self._pending: list[Stepped] = []
        self._pending_rows = 0
        self._pending_bytes = 0
        self._pending_s = 0.0  # when the last of them came
        self._second = 0

    def observe(self, batch: Batch, records: Sequence[Records]) -> None:
        """Take note of a batch that was stepped and of all that it put out."""
        now = self._clock()
        scores = None
        if self.sights is not None:
            batch = self.sights.observe(batch, records)
        with self._lock:
            for some in records:
                if some.kind == "score":
                    scores = some
                elif some.kind == FORECAST and self._outlook is not None:
                    scores = some
                    self._quality.add(int(now), some)
                elif some.kind == "alarm" and len(some):
                    self._keep(self._alarms, some, now)
                elif some.kind in HEARD and self._hearing is not None:
                    self._keep(self._hearing, some, now)
                elif some.kind in SIGHTED and self.sights is not None:
                    self._keep(self.sights, some, now)
            if int(now) != self._second:
                self._look(now)
                self._second = int(now)
            if len(batch):
                self._pending.append((batch, scores))
                self._pending_rows += len(batch)
                self._pending_bytes += bytes_of(scores) + batch.values.nbytes
                self._pending_s = now
            many = self._pending_rows >= LOOK_ROWS or self._pending_bytes >= LOOK_BYTES
            if many or now >= self._next_look_s:
                self._next_look_s = now + LOOK_EVERY_S
                self._look(now)

    def rejected(self, rejects: Sequence[Reject]) -> None:
        """Take note of rows that went to the dead-letter sink."""
        now = self._clock()
        with self._lock:
            self._history.add(int(now), rejects=len(rejects))
            self._dead.keep(rejects, now)

    def status(self, status: Status) -> None:
        """Take note of how the pipeline stands; keys not given stay as they were."""
        self._status = {**self._status, **status}
        if "lag" in status:
            with self._lock:
                live = status.get("live_streams", np.nan)
                self._history.gauge(int(self._clock()), status["lag"], live)

    @property
    def stands(self) -> Status:
        """How the pipeline stands, as far as the loop told."""
        return self._status

    def summary(self, cursor: Cursor) -> dict[str, Any]:
        """What tells this pipeline among others, and is new since ``cursor``, which moves on."""
        now = self._clock()
        first = cursor.reads(self._boot)
        with self._lock:
            self._look(now)
            seconds = self._history.read(cursor.second, int(now))
            found: dict[str, Any] = {"dead_letters": self._dead.causes.total()}
            if self._outlook is not None:
                found["in_band"] = self._quality.in_band(int(now))
            elif self._hearing is not None:
                found["heard"] = self._hearing.read(cursor.heard, self._watch.watched())["heard"]
                cursor.heard = self._hearing.last
            elif self.sights is None:
                found["alarms"] = self._alarms.since(cursor.alarm)
                found["open_alarms"] = self._alarms.open
                cursor.alarm = self._alarms.last
        if self.sights is not None:
            found["sights"] = self.sights.totals()
        cursor.second = int(now)
        return {
            "first": first,
            "boot": self._boot,
            "forecast": None if self._outlook is None else self._outlook.facts,
            "speech": None if self._hearing is None else self._hearing.facts,
            "status": self._status,
            "seconds": {name: seconds[name] for name in SUMMED},
            **found,
        }

    def changes(self, cursor: Cursor, focus: str | None = None) -> dict[str, Any]:
        """What is new since ``cursor``, which moves on; arrays are numpy's, times ms since 1970.

        ``focus`` names the stream whose points are wanted. It is watched from now on.
        """
        now = self._clock()
        first = cursor.reads(self._boot)
        with self._lock:
            self._look(now)
            keys = self._watch.keys() if focus else []
            alarms = self._alarms.since(cursor.alarm)
            dead = self._dead.since(cursor.dead)
            cursor.alarm, cursor.dead = self._alarms.last, self._dead.last
            totals = {
                "alarms_total": self._alarms.total,
                "dead_letters": self._dead.causes.total(),
                "dead_causes": dict(self._dead.causes),
            }
            seconds = self._history.read(cursor.second, int(now))
            if self._outlook is not None:
                seconds |= self._quality.read(cursor.second, int(now))
            streams = self._watch.summaries()
            heard = {}
            if self._hearing is not None:
                heard = self._hearing.read(cursor.heard, self._watch.watched())
                cursor.heard = self._hearing.last
                totals["heard_total"] = self._hearing.total
        cursor.second = int(now)
        found: dict[str, Any] = {
            "boot": self._boot,
            "time": int(now * 1000),
            "status": {**self._status, **totals},
            "seconds": seconds,
            "alarms": alarms,
            "dead": dead,
            "streams": streams,
            **heard,
        }
        if self.sights is not None:
            found["sights"] = self.sights.read(cursor.glance)
        if first:
            found |= {
                "first": True,
                "pipeline": self._pipeline,
                "features": self._features,
                "kept_seconds": SECONDS,
                "forecast": None if self._outlook is None else self._outlook.facts,
                "speech": None if self._hearing is None else self._hearing.facts,
                "tracking": None if self.sights is None else self.sights.facts,
            }
        if focus:
            found["focus"] = self._focus(cursor, focus, key_of(focus, keys), now)
        return found

    def search(self, text: str) -> list[str]:
        """Names of streams seen lately that contain ``text``: at most ``SEARCH_LIMIT``."""
        with self._lock:
            keys = self._watch.keys()
        return search(keys, text, SEARCH_LIMIT)

    def _focus(self, cursor: Cursor, shown: str, key: bytes, now: float) -> dict[str, Any]:
        with self._lock:
            fresh = not self._watch.watches(key)
            watched = self._watch.want(key, ASKED, now)
            if key != cursor.focus or fresh:
                cursor.focus, cursor.points, cursor.ahead = key, 0, 0
            reset = cursor.points == 0
            cursor.points, points = self._watch.points(key, cursor.points)
            ahead, facts = self._watch.ahead(key), self._watch.facts(key)
        found = {"key": shown, "watched": watched, "reset": reset, "facts": facts, **points}
        if ahead is not None and (reset or ahead.time != cursor.ahead):
            cursor.ahead = ahead.time
            found["ahead"] = ahead.shown
        return found

    def _look(self, now: float) -> None:
        """Look through the pending batches: count them all, the rest as the budget allows."""
        if not self._pending:
            return
        batches, rows = len(self._pending), self._pending_rows
        if self._affordable():
            began = time.thread_time()
            pending = self._pending
            if self._hearing is not None:
                pending = [(self._hearing.levels(batch), scores) for batch, scores in pending]
            self._watch.observe(pending, now)
            self._sample_latency(self._pending[-1][0])
            self._credit_s -= time.thread_time() - began
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        self._history.add(self._second, rows=rows, batches=batches)

    def _affordable(self) -> bool:
        """Whether the budget allows more than counting; it is saved up for some time at most."""
        now = time.perf_counter()
        earned = (now - self._credited_s) * self._budget
        self._credited_s = now
        self._credit_s = min(self._credit_s + earned, MAX_CREDIT_S)
        return self._credit_s >= 0.0

    def _sample_latency(self, batch: Batch) -> None:
        every = max(1, len(batch) // LATENCY_SAMPLE)
        stamped = batch.stamped[::every][batch.live[::every]]
        self._history.add_latency(self._second, np.maximum(self._pending_s - stamped / 1e6, 0.0))

    def _keep(self, kept: Alarms | Hearing | Sights, records: Records, now: float) -> None:
        """Put events aside for the viewers, count them, and watch some of their streams."""
        count, streams = kept.keep(records, storm=self._credit_s < 0)
        for key in streams:
            self._watch.want(key, EVENT, now)
        if count:
            self._history.add(int(now), events=count)
