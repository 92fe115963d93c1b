"""Records whose value is a frame: a picture's size and the boxes that were found in it, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np

from pipeline.block import Int64, Polled, Reject
from pipeline.decode.base import BROKEN_JSON, MAX_RECORD_BYTES, RawRecords
from pipeline.decode.frame_rows import Float64, frame_rows
from pipeline.decode.screen import in_order, make_block, screen
from pipeline.decode.times import to_microseconds
from pipeline.tracking.frames import BOX, MAX_NUMBER, Layout

# Cause of appearance vectors that were dropped: of another length, or not finite.
APPEARANCE = "appearances_invalid"

MAX_AHEAD_US = 86_400_000_000  # of a record's own time before the one that the broker gave it

Row = tuple[float, float, float, float, float]  # left, top, width, height, score
Pixels = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]

TOO_FAR = (
    "is more than a day ahead of the record's timestamp: one record from the far future would make "
    "every later frame of the camera late"
)
NO_BOX: Row = (np.nan, np.nan, np.nan, np.nan, np.nan)


class _Box(msgspec.Struct, gc=False):
    left: float
    top: float
    width: float
    height: float
    score: float
    appearance: list[float] = []


class _Frame(msgspec.Struct, kw_only=True, gc=False):
    width: Pixels
    height: Pixels
    time: datetime | float | None = None
    frame: Number | None = None


class _Rows(_Frame, gc=False):
    detections: list[Row]


class _Boxes(_Frame, gc=False):
    detections: list[_Box]


class _Anything(_Frame, gc=False):
    detections: list[Any]


class DetectionFrames:
    """Decodes ``{"width": …, "height": …, "detections": [[left, top, width, height, score], …]}``.

    The record's key is the camera. A detection may be an object with these names, and with an
    ``appearance`` of as many numbers as ``layout`` has. ``time`` (see ``to_microseconds``; default:
    the record's timestamp) and ``frame``, its number (default: the record's offset), may be there;
    other fields are ignored. A detection that is none is left out of its frame, and
    ``dropped(cause, n)`` told; so are an appearance that does not fit, and detections that the
    layout has no room for. A tombstone ends the camera's stream.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        dropped: Callable[[str, int], None],
        max_record_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        self.max_record_bytes = max_record_bytes
        self._layout, self._dropped = layout, dropped
        self._rows = msgspec.json.Decoder(_Rows)
        self._boxes = msgspec.json.Decoder(_Boxes)
        self._anything = msgspec.json.Decoder(_Anything)

    def decode(self, records: RawRecords) -> Polled:
        """Blocks and rejects of the partition, each in offset order."""
        records, unusable = screen(records, self.max_record_bytes)
        frames: list[_Frame | None]
        try:
            rows = [None if value is None else self._rows.decode(value) for value in records.values]
        except BROKEN_JSON:
            records, frames, found, wrong = self._one_by_one(records)
            unusable = in_order(unusable, wrong)
        else:
            frames = list(rows)
            found = [[] if row is None else row.detections for row in rows]
        times, wrong = _times(records, frames)
        if wrong:
            bad = {reject.offset for reject in wrong}
            kept = [at for at, offset in enumerate(records.offsets) if offset not in bad]
            records, times = records.at(kept), times[kept]
            frames, found = [frames[at] for at in kept], [found[at] for at in kept]
            unusable = in_order(unusable, wrong)
        if not frames:
            return Polled([], unusable)
        header = np.array(
            [
                (0, 0, 0) if one is None else (one.width, one.height, _number(one, offset))
                for one, offset in zip(frames, records.offsets, strict=True)
            ],
            np.float64,
        )
        counts = np.array([len(some) for some in found], np.int64)
        values = frame_rows(self._layout, header, counts, self._cells(found), self._dropped)
        end = np.array([one is None for one in frames])
        values[end] = 0
        keys = [key or b"" for key in records.keys]
        return Polled([make_block(records, keys, values, times, end)], unusable)

    def _one_by_one(
        self, records: RawRecords
    ) -> tuple[RawRecords, list[_Frame | None], list[Sequence[Row | _Box]], list[Reject]]:
        """The records that are frames, their frames, their detections; and those that are none."""
        keep: list[int] = []
        frames: list[_Frame | None] = []
        found: list[Sequence[Row | _Box]] = []
        rejects: list[Reject] = []
        for at, value in enumerate(records.values):
            try:
                frame, some = (None, []) if value is None else self._frame(value)
            except msgspec.ValidationError as error:
                rejects.append(records.reject(at, _cause(str(error)), str(error)))
            except BROKEN_JSON as error:
                rejects.append(records.reject(at, "malformed", str(error)))
            else:
                keep.append(at)
                frames.append(frame)
                found.append(some)
        return records.at(keep), frames, found, rejects

    def _frame(self, value: bytes) -> tuple[_Frame, Sequence[Row | _Box]]:
        """One frame, and its detections in whichever form they are; raises one of BROKEN_JSON."""
        for decoder in (self._rows, self._boxes):
            try:
                frame = decoder.decode(value)
            except msgspec.ValidationError:
                continue
            return frame, frame.detections
        loose = self._anything.decode(value)
        return loose, [_detection(one) for one in loose.detections]

    def _cells(self, found: Sequence[Sequence[Row | _Box]]) -> Float64:
        """Every detection as ``[M, layout.columns]``."""
        every = list(chain.from_iterable(found))
        cells = np.zeros((len(every), self._layout.columns))
        rows = [
            (one.left, one.top, one.width, one.height, one.score) if isinstance(one, _Box) else one
            for one in every
        ]
        flat = np.fromiter(chain.from_iterable(rows), np.float64, BOX * len(rows))
        cells[:, :BOX] = flat.reshape(-1, BOX)
        width = self._layout.appearance
        if width:
            given = [one.appearance if isinstance(one, _Box) else [] for one in every]
            fits = [at for at, vector in enumerate(given) if len(vector) == width]
            cells[fits, BOX:] = _unit(np.array([given[at] for at in fits]).reshape(-1, width))
            bad = sum(map(bool, given)) - int(cells[:, BOX:].any(axis=1).sum())
            if bad:
                self._dropped(APPEARANCE, bad)
        return cells


def _number(frame: _Frame, offset: int) -> int:
    return offset if frame.frame is None else frame.frame


def _detection(value: Any) -> Row | _Box:
    """One detection; NaN, which is dropped later, for what is none."""
    try:
        found: Row | _Box = msgspec.convert(value, Row | _Box)
    except (msgspec.ValidationError, OverflowError):
        return NO_BOX
    return found


def _unit(vectors: Float64) -> Float64:
    """Vectors of length 1; zeros for those that have none."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    good = np.isfinite(largest) & (largest > 0)
    scaled = np.divide(vectors, largest, out=np.zeros_like(vectors), where=good)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(np.divide(scaled, length, out=scaled, where=good))


def _times(records: RawRecords, frames: Sequence[_Frame | None]) -> tuple[Int64, list[Reject]]:
    """Each record's time, and the records whose own time is none."""
    times = np.array(records.stamped, np.int64)
    own = [(at, one.time) for at, one in enumerate(frames) if one and one.time is not None]
    if not own:
        return times, []
    stated, valid = to_microseconds([time for _, time in own])
    at = np.array([at for at, _ in own])
    known = times[at] > 0  # some old producers stamp nothing
    ahead = valid & known & (stated - times[at] > MAX_AHEAD_US)
    times[at] = stated
    rejects = []
    for one in np.flatnonzero(~valid | ahead).tolist():
        place, time = own[one]
        reason = TOO_FAR if ahead[one] else "is not within the years 1 to 9998"
        rejects.append(records.reject(place, "bad_time", f"{time} {reason}"))
    return times, rejects


def _cause(reason: str) -> str:
    if reason.endswith("`$.time`"):
        return "bad_time"
    if "missing required field" in reason:
        return "missing_feature"
    return "not_finite" if "out of range" in reason else "wrong_type"
