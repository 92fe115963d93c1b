"""What was tracked and counted, against who was truly there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.demo.tracking.film import FRAMES_PER_S, Present
from deploy.demo.tracking.listener import Crossing, Seat
from deploy.demo.tracking.places import HEIGHT, WIDTH
from pipeline.block import Int64
from pipeline.tracking.lines import IN, OUT
from trainer.tracking.score import Tally, Truth

CLEAR = 0.35  # visible share from which on a person has to be found
THERE_FRAMES = FRAMES_PER_S  # so many of these in sight, and a person was there
NEAR_US = 1_500_000  # a crossing told and a true one are the same if no farther apart
AWAKE_US = 1_000_000  # frames farther from any output were not looked at: the camera was off
AWAY = 0.02  # of the picture's width: how far off the line a person has to be to have crossed it


@dataclass(frozen=True, slots=True)
class Witnessed:
    """One camera: what it showed when (``sent_us`` [frames], 0: never), and what came of it."""

    camera: str
    line: tuple[tuple[float, float], tuple[float, float]]
    present: Sequence[Sequence[Present]]
    sent_us: Int64
    seats: Sequence[Seat]
    times_us: Sequence[int]
    latency_ms: Sequence[float]
    entered: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Of one camera, or with ``+`` of several.

    ``frames`` were shown while tracks came at all, ``used`` of them have outputs.
    """

    frames: int
    used: int
    people: int
    entered: int
    true_crossings: int
    right_crossings: int
    told_crossings: int

    def __add__(self, other: Counted) -> Counted:
        return Counted(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Judged:
    """One camera's counts, scores (percent) and latencies, capture to consumer, in ms."""

    camera: str
    counted: Counted
    scores: Mapping[str, float]
    latency_p50_ms: float | None
    latency_p99_ms: float | None

    def numbers(self) -> dict[str, Any]:
        """For the report."""
        latency = {"latency_p50_ms": self.latency_p50_ms, "latency_p99_ms": self.latency_p99_ms}
        return {"camera": self.camera, **asdict(self.counted), **self.scores, **latency}


def judge(cameras: Sequence[Witnessed], told: Sequence[Crossing]) -> list[Judged]:
    """Each camera's verdict, and last that of all together."""
    found, tallies = [], []
    for one in cameras:
        looked = _looked_at(one)
        own = [crossing for crossing in told if crossing.camera == one.camera]
        used = _used(one, looked)
        tally = _tally(one, used)
        tallies.append(tally)
        counted = _counted(one, looked, len(used), own)
        found.append(_judged(one.camera, counted, tally, one.latency_ms))
    everything = [late for one in cameras for late in one.latency_ms]
    counts, tally = found[0].counted, tallies[0]
    for other, more in zip(found[1:], tallies[1:], strict=True):
        counts, tally = counts + other.counted, tally + more
    return [*found, _judged("all", counts, tally, everything)]


def true_crossings(one: Witnessed, looked: Int64) -> list[Crossing]:
    """Who truly crossed the line of a camera in the frames ``looked`` at."""
    (x0, y0), (x1, y1) = one.line
    side_of: dict[int, float] = {}
    found = []
    for frame in looked.tolist():
        for person in one.present[frame]:
            x, y = person.foot[0] / WIDTH, person.foot[1] / HEIGHT
            # Positive to the right of who looks from the line's start to its end.
            side = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
            if abs(side) < AWAY:
                continue
            before = side_of.get(person.person, side)
            side_of[person.person] = side
            if (before > 0) != (side > 0):
                direction = IN if side > 0 else OUT
                time_us = int(one.sent_us[frame])
                found.append(Crossing(one.camera, time_us, person.person, direction))
    return found


def _judged(camera: str, counted: Counted, tally: Tally, latency_ms: Sequence[float]) -> Judged:
    p50, p99 = np.percentile(latency_ms, [50, 99]).tolist() if latency_ms else (None, None)
    return Judged(camera, counted, tally.scores(), p50, p99)


def _looked_at(one: Witnessed) -> Int64:
    """The frames that were sent while outputs came."""
    sent = np.flatnonzero(one.sent_us)
    times = np.sort(np.array(one.times_us, np.int64))
    if not len(times):
        return sent[:0]
    at = np.searchsorted(times, one.sent_us[sent])
    after = times[np.minimum(at, len(times) - 1)] - one.sent_us[sent]
    before = one.sent_us[sent] - times[np.maximum(at - 1, 0)]
    near: Int64 = sent[np.minimum(np.abs(after), np.abs(before)) < AWAKE_US]
    return near


def _used(one: Witnessed, looked: Int64) -> Int64:
    """Those of the frames ``looked`` at that outputs came of."""
    at = _shown_at(one, looked, one.times_us)
    found: Int64 = looked[np.unique(at[at >= 0])]
    return found


def _shown_at(one: Witnessed, looked: Int64, times_us: Sequence[int]) -> Int64:
    """Which of the frames ``looked`` at was sent last at ``times_us`` [N]; -1 for none."""
    times = np.array(times_us, np.int64)
    if not len(looked):
        return np.full(len(times), -1)
    sent = one.sent_us[looked]
    at = np.searchsorted(sent, times, "right") - 1
    return np.where(times - sent[at] < AWAKE_US, at, -1)


def _counted(one: Witnessed, looked: Int64, used: int, told: Sequence[Crossing]) -> Counted:
    seen: dict[int, int] = {}
    for frame in looked.tolist():
        for person in one.present[frame]:
            seen[person.person] = seen.get(person.person, 0) + (person.visible >= CLEAR)
    true = true_crossings(one, looked)
    free = list(true)
    right = 0
    for crossing in told:
        near = [
            other
            for other in free
            if other.direction == crossing.direction
            and abs(other.time_us - crossing.time_us) < NEAR_US
        ]
        if near:
            free.remove(min(near, key=lambda other: abs(other.time_us - crossing.time_us)))
            right += 1
    people = sum(frames >= THERE_FRAMES for frames in seen.values())
    return Counted(len(looked), used, people, one.entered, len(true), right, len(told))


def _tally(one: Witnessed, looked: Int64) -> Tally:
    """Scores over the frames ``looked`` at: people who are hidden count neither way."""
    number = np.full(len(one.sent_us), 0)
    number[looked] = 1 + np.arange(len(looked))
    truth = [
        [number[frame], person.person, *person.box, 1, 1 if person.visible >= CLEAR else 8, 1]
        for frame in looked.tolist()
        for person in one.present[frame]
    ]
    rows = np.array(truth, np.float64).reshape(-1, 9)
    return Truth(rows, 1, max(1, len(looked))).score(_results(one, looked, number))


def _results(one: Witnessed, looked: Int64, number: Int64) -> npt.NDArray[np.float64]:
    """The tracks as MOT rows; a frame is the one that its camera had sent last."""
    kept: dict[tuple[int, int], Seat] = {}
    places = _shown_at(one, looked, [seat.time_us for seat in one.seats])
    for seat, at in zip(one.seats, places.tolist(), strict=True):
        if at >= 0:
            kept[int(number[looked[at]]), seat.track] = seat
    rows = [[frame, track, *seat.box] for (frame, track), seat in kept.items()]
    return np.array(rows, np.float64).reshape(-1, 6)
