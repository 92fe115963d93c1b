"""Detections over Kafka: frames as rows, boxes that are none, and records that are no frames."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.block import Polled
from pipeline.decode.base import CAUSES
from pipeline.decode.detections import APPEARANCE, DetectionFrames
from pipeline.decode.frame_rows import INVALID, OVER_LIMIT
from pipeline.tracking.frames import MAX_NUMBER, Frame, Layout
from tests.pipeline.decode.raw import FIRST_OFFSET, STAMPED, raw
from tests.shared import REPOSITORY

NAMES = ("left", "top", "width", "height", "score")
BOX = [10.0, 20.0, 30.0, 60.0, 0.75]
OTHER = [-5.0, 1.0, 2.0, 3.0, 0.5]


class Rig:
    """A decoder, and a tally of what it dropped."""

    def __init__(self, most: int = 4, appearance: int = 0, **options: int) -> None:
        self.layout = Layout(most, appearance)
        self.dropped = Counter[str]()
        self.decoder = DetectionFrames(self.layout, dropped=self.drop, **options)

    def drop(self, cause: str, count: int) -> None:
        """Add to the tally."""
        assert count > 0
        self.dropped[cause] += count

    def decode(self, *values: bytes | None) -> Polled:
        """What becomes of these records."""
        return self.decoder.decode(raw(values))

    def frames(self, *values: bytes | None) -> list[Frame]:
        """The frames of good records."""
        polled = self.decode(*values)
        assert not polled.rejects
        return [self.layout.frame(row) for block in polled.blocks for row in block.values]


def frame(*detections: Any, **fields: Any) -> bytes:
    """A record's value."""
    return json.dumps(
        {"width": 640, "height": 480, "detections": list(detections), **fields}
    ).encode()


def named(box: list[float], **fields: Any) -> dict[str, Any]:
    """A detection as an object."""
    return {**dict(zip(NAMES, box, strict=True)), **fields}


def test_a_record_is_a_row() -> None:
    """Its number and its own time are the row's; a record without them has the record's."""
    rig = Rig()
    polled = rig.decode(frame(BOX, OTHER, frame=7, time="2023-05-01T12:00:00Z"), frame())
    (block,) = polled.blocks
    own = int(datetime(2023, 5, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000
    assert block.values.shape == (2, rig.layout.width)
    assert block.values.dtype == np.float32
    assert block.times.tolist() == [own, STAMPED + 1_000_000]
    assert block.stamped.tolist() == [STAMPED, STAMPED + 1_000_000]
    assert block.offset.tolist() == [FIRST_OFFSET, FIRST_OFFSET + 1]
    one, two = map(rig.layout.frame, block.values)
    assert (one.number, one.size, two.number) == (7, (640, 480), FIRST_OFFSET + 1)
    assert one.found.boxes.tolist() == [BOX[:4], OTHER[:4]]
    assert one.found.scores.tolist() == [BOX[4], OTHER[4]]
    assert (len(two.found), rig.dropped) == (0, {})


def test_a_frames_number_is_kept_to_the_digit() -> None:
    """Up to the largest."""
    for number in (MAX_NUMBER, MAX_NUMBER - (1 << 20) - 1, (1 << 24) + 1):
        assert [found.number for found in Rig().frames(frame(frame=number))] == [number]


def test_a_time_may_be_a_day_ahead() -> None:
    """Clocks differ, and zones are mistaken; of one batch only what is farther off is rejected."""
    day = 86_400
    at = STAMPED / 1e6
    polled = Rig().decode(frame(time=at + day), frame(time=at + day + 2), frame(time=at - 1e9))
    (block,) = polled.blocks
    assert block.times.tolist() == [STAMPED + day * 1_000_000, STAMPED - 10**15]
    assert [reject.offset for reject in polled.rejects] == [FIRST_OFFSET + 1]
    unstamped = replace(raw([frame(time=at)]), stamped=[-1000])
    assert not Rig().decoder.decode(unstamped).rejects


def test_a_row_is_what_the_layout_makes_of_the_frame() -> None:
    """To the bit, in whichever form the detections come."""
    for appearance in (0, 2):
        rig = Rig(appearance=appearance)
        polled = rig.decode(frame(BOX, OTHER, frame=3), frame(named(BOX), named(OTHER), frame=3))
        (block,) = polled.blocks
        wanted, _ = rig.layout.row(rig.layout.frame(block.values[0]))
        for row in block.values:
            assert np.array_equal(row, wanted, equal_nan=True)


@pytest.mark.parametrize(
    "bad",
    [
        [10, 20, 0, 60, 0.5],
        [10, 20, 30, -1, 0.5],
        [10, 20, 30, 1e-300, 0.5],
        [10, 20, None, 60, 0.5],
        [10, 20, 30, 60],
        [10, 20, 30, 60, 0.5, 1],
        [1e9, 20, 30, 60, 0.5],
        [10, 20, 1e300, 60, 0.5],
        [10, 20, 30, 60, "sure"],
        [10, 20, 30, 60, True],
        [10, 20, 30, 60, int("9" * 400)],
        named(BOX, width=0),
        named(BOX, score=None),
        {"left": 1},
        None,
        "box",
        [],
        [[1, 2, 3, 4, 5]],
    ],
)
def test_a_bad_detection_is_dropped_and_counted(bad: object) -> None:
    """The rest of its frame stays, and so do other frames."""
    rig = Rig()
    one, two = rig.frames(frame(BOX, bad, named(OTHER)), frame(BOX))
    assert one.found.boxes.tolist() == [BOX[:4], OTHER[:4]]
    assert two.found.boxes.tolist() == [BOX[:4]]
    assert rig.dropped == {INVALID: 1}


def test_boxes_outside_of_the_picture_stay() -> None:
    """Who walks out of it is still tracked."""
    (found,) = Rig().frames(frame([-300, -200, 50, 80, 0.9], [5000, 5000, 50, 80, 0.9]))
    assert len(found.found) == 2


def test_of_too_many_detections_the_surest_are_kept() -> None:
    """In their order; frame by frame, thousands of them too."""
    rig = Rig(most=3)
    scores = [0.1, 0.9, 0.3, 0.8, 0.7]
    one, two = rig.frames(frame(*([1, 1, 5, 5, score] for score in scores)), frame(BOX))
    assert one.found.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert (len(two.found), rig.dropped) == (1, {OVER_LIMIT: 2})
    (many,) = rig.frames(frame(*([at % 600, 1, 5, 5, at / 20_000] for at in range(20_000))))
    assert many.found.scores.tolist() == pytest.approx([0.99985, 0.9999, 0.99995])
    assert rig.dropped == {OVER_LIMIT: 2 + 19_997}


def test_appearance_is_carried_with_length_one() -> None:
    """Zeros where there is none, and where it does not fit, which is counted."""
    rig = Rig(most=8, appearance=2)
    wrong = ([1.0], [0.0, 0.0], [1.0, 2.0, 3.0])
    (found,) = rig.frames(
        frame(
            named(BOX, appearance=[3.0, -4.0]),
            BOX,
            named(BOX),
            named(BOX, appearance=[1e300, 0]),
            *(named(BOX, appearance=vector) for vector in wrong),
        )
    )
    wanted = np.zeros((7, 2))
    wanted[[0, 3]] = (0.6, -0.8), (1, 0)
    np.testing.assert_allclose(found.found.appearance, wanted, rtol=1e-6)
    assert rig.dropped == {APPEARANCE: 3}
    (plain,) = Rig().frames(frame(named(BOX, appearance=[3.0, -4.0])))
    assert plain.found.appearance.shape == (1, 0)


def test_a_tombstone_ends_its_camera() -> None:
    """As anywhere."""
    (block,) = Rig().decode(frame(BOX), None, frame(BOX)).blocks
    assert block.end.tolist() == [False, True, False]
    assert not block.values[1].any()


@pytest.mark.parametrize(
    ("value", "cause", "said"),
    [
        (b"frame", "malformed", "malformed"),
        (b"", "malformed", "truncated"),
        (b"[1]", "wrong_type", "Expected `object`"),
        (b'{"width":640,"height":480}', "missing_feature", "`detections`"),
        (b'{"height":480,"detections":[]}', "missing_feature", "`width`"),
        (frame(width=0), "wrong_type", "$.width"),
        (frame(height=70_000), "wrong_type", "$.height"),
        (frame(width=640.5), "wrong_type", "$.width"),
        (frame(frame=-1), "wrong_type", "$.frame"),
        (frame(frame=1 << 44), "wrong_type", "<= 17592186044415"),
        (frame(frame="one"), "wrong_type", "$.frame"),
        (frame(detections={}), "wrong_type", "$.detections"),
        (frame(time="noon"), "bad_time", "$.time"),
        (frame(time=4e9), "bad_time", "4000000000.0 is more than a day ahead of the record's"),
        (frame(time="2524-05-01T12:00:00Z"), "bad_time", "every later frame of the camera late"),
        (frame(time=1e18), "bad_time", "years 1 to 9998"),
        (frame(time=[1]), "bad_time", "$.time"),
        (frame(BOX, padding="x" * 2000), "too_large", "max_record_bytes"),
        (b'{"width":640,"height":480,"detections":[NaN]}', "malformed", "malformed"),
        (b'{"width":640,"height":480,"detections":' + b"[" * 900, "malformed", "truncated"),
        (b'{"width":640,"height":480,"detections":[["\xff"]]}', "malformed", "utf-8"),
    ],
)
def test_a_record_that_is_no_frame_is_rejected(value: bytes, cause: str, said: str) -> None:
    """With the reason; the records around it are rows."""
    rig = Rig(max_record_bytes=1000)
    polled = rig.decode(frame(BOX), value, frame(OTHER))
    (reject,) = polled.rejects
    assert (reject.cause, reject.offset, reject.value) == (cause, FIRST_OFFSET + 1, value)
    assert said in reject.reason
    assert cause in CAUSES
    (block,) = polled.blocks
    assert block.offset.tolist() == [FIRST_OFFSET, FIRST_OFFSET + 2]


def test_nesting_without_end_is_rejected() -> None:
    """Whether the field is known or not."""
    deep = b"[" * 200_000
    start = b'{"width":640,"height":480,"detections":'
    polled = Rig().decode(start + deep, start + b'[],"more":' + deep)
    assert [reject.cause for reject in polled.rejects] == ["malformed", "malformed"]


def test_a_record_needs_a_camera() -> None:
    """Its key."""
    polled = Rig().decoder.decode(raw([frame(BOX), frame(BOX)], [None, b"gate"]))
    assert [reject.cause for reject in polled.rejects] == ["bad_key"]
    assert polled.blocks[0].table.keys == [b"gate"]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
numbers = st.floats() | st.integers(-(10**30), 10**30) | st.none()
boxes = st.lists(
    st.lists(numbers, min_size=4, max_size=6)
    | st.fixed_dictionaries(
        {name: st.floats() for name in NAMES}, optional={"appearance": json_values}
    )
    | json_values,
    max_size=6,
)
frames = st.fixed_dictionaries(
    {"width": st.integers(-1, 70_000), "height": st.integers(1, 9), "detections": boxes},
    optional={"time": json_values, "frame": st.integers() | json_values, "x": json_values},
)


records = st.lists(
    st.none() | st.binary(max_size=40) | (frames | json_values).map(json.dumps), max_size=4
)


@settings(max_examples=60)
@given(records)
def test_no_record_is_too_odd_to_decode(values: list[bytes | str | None]) -> None:
    """It never raises; every record is a row or a reject, and what a row holds is finite."""
    rig = Rig(most=3, appearance=2)
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    polled = rig.decode(*encoded)
    places = [reject.offset for reject in polled.rejects]
    for block in polled.blocks:
        places += block.offset.tolist()
        for row in block.values[~block.end]:
            found = rig.layout.frame(row).found
            assert np.isfinite(found.boxes).all()
            assert np.isfinite(found.scores).all()
            assert np.isfinite(found.appearance).all()
            assert (found.boxes[:, 2:] > 0).all()
    assert sorted(places) == list(range(FIRST_OFFSET, FIRST_OFFSET + len(values)))


def test_the_documented_record_is_a_row() -> None:
    """The example of the page on formats."""
    page = (REPOSITORY / "docs" / "formats.md").read_text()
    (example,) = re.findall(r"```json\n(\{.*\"detections\".*\})\n```", page)
    rig = Rig()
    (block,) = rig.decoder.decode(replace(raw([example.encode()]), stamped=[2 * STAMPED])).blocks
    found = rig.layout.frame(block.values[0])
    assert (found.number, found.size, len(found.found)) == (1201, (1920, 1080), 2)
    assert not rig.dropped
