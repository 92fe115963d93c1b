"""The streams that somebody may look at: a bounded set, each with a ring of its latest points."""

from __future__ import annotations

import random
from collections.abc import KeysView, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Batch, Int64
from pipeline.monitor.facts import Facts
from pipeline.monitor.names import name
from pipeline.monitor.outlook import Ahead, Outlook
from pipeline.monitor.recent import Points, Recent, Stepped, joined, matched, points_of

Int16 = npt.NDArray[np.int16]

STREAMS = 32
POINTS = 600
SPARK_POINTS = 60
MAX_FEATURES = 8
MAX_KNOWN = 20_000  # keys that a search finds
LEARN_EVERY_S = 0.1
MAX_KEY_BYTES = 256  # longer keys are counted, never watched

# Why a stream is watched; the lower one makes room.
SAMPLE, EVENT, ASKED = 0, 1, 2
REASONS = ("sample", "event", "asked")
SAMPLES = 12  # streams watched without any reason
ASKED_S = 30.0  # a viewer who is gone for so long no longer holds a stream


class Watch:
    """Picks the rows of watched streams out of batches by their slots. For one thread at a time.

    A slot may pass to another stream, so it is only a hint: the key decides. A stream whose slot
    is not known is *sought* by its key in the batches that come.
    """

    def __init__(self, features: int, outlook: Outlook | None = None) -> None:
        self.features = min(features, MAX_FEATURES)
        self._outlook = outlook
        shape = (STREAMS, POINTS)
        self._time = np.zeros(shape, np.int64)
        self._value = np.zeros((*shape, self.features), np.float32)
        self._expected = np.zeros((*shape, self.features), np.float32)
        self._band = np.zeros((*shape, self.features if outlook else 0, 2), np.float32)
        self._score = np.zeros(shape, np.float32)
        self._alarm = np.zeros(shape, np.bool_)
        self._count = np.zeros(STREAMS, np.int64)  # points ever written to the ring
        self._ahead: list[Ahead | None] = [None] * STREAMS
        self._place: dict[bytes, int] = {}
        self._key = np.full(STREAMS, b"", object)
        self._reason = [SAMPLE] * STREAMS
        self._touched = [0.0] * STREAMS
        self._slot = [-1] * STREAMS
        self._facts = Facts(STREAMS)
        # slot → place. The last element stays -1: it answers for all slots beyond.
        self._by_slot = np.full(1024, -1, np.int16)
        self._sought: set[bytes] = set()
        self._recent = Recent(self.features, outlook)
        # Keys seen lately, in two generations: streams that are gone drop out with the older one.
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()
        self._learn_s = 0.0

    def want(self, key: bytes, reason: int, now: float) -> bool:
        """Watch a stream from its next row on; false when no place could be made for it."""
        place = self._place.get(key)
        if place is None:
            if len(key) > MAX_KEY_BYTES:
                return False
            place = self._make_room(reason, now)
            if place is None:
                return False
            self._place[key] = place
            self._key[place] = key
            self._reason[place] = reason
            self._count[place] = 0
            self._ahead[place] = None
            self._facts.begin(place, now)
            self._sought.add(key)
        self._reason[place] = max(reason, self._reason[place])
        self._touched[place] = now
        return True

    def observe(self, pending: Sequence[Stepped], now: float) -> None:
        """Keep the points of watched streams in these batches, oldest first."""
        last = pending[-1][0]
        if len(self._place) < SAMPLES:
            for key in last.key[: SAMPLES - len(self._place)].tolist():
                self.want(key, SAMPLE, now)
        if now >= self._learn_s:
            # At random times, or a regular sender would always show the same streams.
            self._learn_s = now + random.uniform(0, 2 * LEARN_EVERY_S)  # noqa: S311  # no secret
            self._learn(last)
        for batch, scores in pending:
            if self._sought:
                self._seek(batch)
            self._recent.keep(batch, scores)
        slot = np.concatenate([batch.slot for batch, _ in pending])
        places = self._by_slot.take(slot, mode="clip")
        rows = np.flatnonzero(places >= 0)
        if len(rows):
            batch, scores = joined(pending)
            rows = self._confirmed(batch, rows, places[rows])
            points = points_of(batch, rows, scores, self.features, self._outlook)
            self._write(places[rows].astype(np.int64), points)
            self._facts.note(places[rows], batch, rows, now)
            if self._outlook is not None:
                self._look_ahead(self._outlook, pending, rows, places[rows])

    def keys(self) -> list[bytes]:
        """Every key seen lately, up to ``MAX_KNOWN``, and every watched one."""
        return list(self._young | self._old | self._place.keys())

    def watched(self) -> KeysView[bytes]:
        """The keys of the streams that are watched now."""
        return self._place.keys()

    def watches(self, key: bytes) -> bool:
        """Whether the stream is watched now."""
        return key in self._place

    def summaries(self) -> list[dict[str, Any]]:
        """Every watched stream with its last point and a short tail of its first feature."""
        found = []
        for key, place in sorted(self._place.items()):
            count = int(self._count[place])
            if not count:
                continue
            tail = np.arange(max(0, count - SPARK_POINTS), count) % POINTS
            last = tail[-1]
            found.append(
                {
                    "key": name(key),
                    "why": REASONS[self._reason[place]],
                    "time": int(self._time[place, last]) // 1000,
                    "value": self._value[place, last, 0] if self.features else None,
                    "score": self._score[place, last],
                    "alarm": bool(self._alarm[place, last]),
                    "spark": self._value[place, tail, 0] if self.features else [],
                    "alarms": np.flatnonzero(self._alarm[place, tail]),
                }
            )
        return found

    def points(self, key: bytes, since: int) -> tuple[int, dict[str, Any]]:
        """Points of a stream after its first ``since``, and how many there were by now.

        Columns: ``t`` in ms since 1970, ``v`` and ``e`` (expected) [n, F], ``s`` (score) and
        ``a`` (alarm, 0 or 1) [n]; of forecasts ``l`` and ``u`` (how low, how high) [n, F].
        """
        place = self._place.get(key)
        count = 0 if place is None else int(self._count[place])
        new = np.arange(max(since, count - POINTS, 0), count) % POINTS
        row = 0 if place is None else place
        found = {
            "t": self._time[row, new] // 1000,
            "v": self._value[row, new],
            "e": self._expected[row, new],
            "s": self._score[row, new],
            "a": self._alarm[row, new].view(np.uint8),
        }
        if self._outlook is not None:
            band = self._band[row, new]
            found |= {"l": band[:, :, 0].copy(), "u": band[:, :, 1].copy()}
        return count, found

    def facts(self, key: bytes) -> dict[str, Any] | None:
        """Where the last row of a watched stream lies, and how many were looked at."""
        place = self._place.get(key)
        if place is None or not self._count[place]:
            return None
        return self._facts.told(place) | {"rows": int(self._count[place])}

    def ahead(self, key: bytes) -> Ahead | None:
        """The latest forecast of a watched stream."""
        place = self._place.get(key)
        return None if place is None else self._ahead[place]

    def _make_room(self, reason: int, now: float) -> int | None:
        """A free place, or that of the stream with the weakest reason, longest ago."""
        if len(self._place) < STREAMS:
            return next(place for place in range(STREAMS) if not self._key[place])

        def rank(place: int) -> tuple[int, float]:
            gone = self._reason[place] == ASKED and now - self._touched[place] > ASKED_S
            return (SAMPLE if gone else self._reason[place], self._touched[place])

        weakest = min(range(STREAMS), key=rank)
        if rank(weakest)[0] > reason:
            return None
        self._forget(weakest)
        return weakest

    def _forget(self, place: int) -> None:
        key = self._key[place]
        self._unlink(place)
        self._sought.discard(key)
        del self._place[key]
        self._key[place] = b""

    def _unlink(self, place: int) -> None:
        slot = self._slot[place]
        if slot >= 0 and self._by_slot[slot] == place:
            self._by_slot[slot] = -1
        self._slot[place] = -1

    def _link(self, place: int, slot: int) -> None:
        if slot >= len(self._by_slot) - 1:
            grown = np.full(2 * slot + 2, -1, np.int16)
            grown[: len(self._by_slot)] = self._by_slot
            self._by_slot = grown
        before = int(self._by_slot[slot])
        if before >= 0:  # the slot was another watched stream's
            self._slot[before] = -1
            self._sought.add(self._key[before])
        self._by_slot[slot] = place
        self._slot[place] = slot

    def _seek(self, batch: Batch) -> None:
        keys = batch.key.tolist()
        for key in self._sought.intersection(keys):
            self._sought.discard(key)
            place, slot = self._place[key], int(batch.slot[keys.index(key)])
            self._link(place, slot)
            if not self._count[place]:
                self._fill(place, self._recent.points(slot, key))

    def _confirmed(self, batch: Batch, rows: Int64, places: Int16) -> Int64:
        """The rows whose slot still belongs to the stream it did, and that are not its end."""
        same = batch.key[rows] == self._key[places]
        for place in np.unique(places[~same]).tolist():
            self._unlink(place)
            self._sought.add(self._key[place])
        kept: Int64 = rows[same & ~batch.end[rows]]
        return kept

    def _write(self, places: Int64, points: Points) -> None:
        """Put point i into the ring of places[i]; points of one place are in time's order."""
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        added = np.bincount(ordered, minlength=STREAMS)
        rank = np.arange(len(ordered)) - (np.cumsum(added) - added)[ordered]
        latest = rank >= added[ordered] - POINTS
        order, ordered, rank = order[latest], ordered[latest], rank[latest]
        at = (self._count[ordered] + rank) % POINTS
        self._time[ordered, at] = points.time[order]
        self._value[ordered, at] = points.value[order]
        self._expected[ordered, at] = points.expected[order]
        self._band[ordered, at] = points.band[order]
        self._score[ordered, at] = points.score[order]
        self._alarm[ordered, at] = points.alarm[order]
        self._count += added

    def _look_ahead(
        self, outlook: Outlook, pending: Sequence[Stepped], rows: Int64, places: Int16
    ) -> None:
        """Keep the forecast of the last of ``rows``, counted through all batches, of each place."""
        ends = np.cumsum([len(batch) for batch, _ in pending])
        for place, row in dict(zip(places.tolist(), rows.tolist(), strict=True)).items():
            at = int(np.searchsorted(ends, row, side="right"))
            batch, forecasts = pending[at]
            if forecasts is not None:
                mine = np.array([row - int(ends[at]) + len(batch)])
                _, theirs = matched(batch, mine, forecasts)
                if len(theirs):
                    self._ahead[place] = outlook.ahead(forecasts, int(theirs[0]))

    def _fill(self, place: int, points: Points) -> None:
        """Begin the ring of a place with the points before now."""
        n = len(points.time)
        self._time[place, :n] = points.time
        self._value[place, :n] = points.value
        self._expected[place, :n] = points.expected
        self._band[place, :n] = points.band
        self._score[place, :n] = points.score
        self._alarm[place, :n] = points.alarm
        self._count[place] = n

    def _learn(self, batch: Batch) -> None:
        self._young.update([key for key in batch.key.tolist() if len(key) <= MAX_KEY_BYTES])
        if len(self._young) > MAX_KNOWN // 2:
            self._old, self._young = self._young, set()
