"""Outages: each is told once, and no frame lies before one that was told."""

from __future__ import annotations

from pipeline.video.outages import Outages

S = 1_000_000


def test_an_outage_is_told_once() -> None:
    """A gap after the camera's last frame, not earlier; and again after the next frame."""
    outages = Outages([0, 2], 5.0, 0)
    outages.came(0, 3 * S, 41)
    outages.came(1, 3 * S, 7)  # is no live one
    assert outages.begun(5 * S) == []
    assert outages.begun(6 * S) == [(2, 5 * S, 0)]
    assert outages.begun(8 * S) == []
    assert outages.begun(60 * S) == [(0, 8 * S, 41)]
    assert outages.begun(600 * S) == []
    outages.came(0, 601 * S, 42)
    assert outages.begun(700 * S) == [(0, 606 * S, 42)]


def test_a_frame_that_was_on_its_way_comes_after_the_outage() -> None:
    """Times rise strictly; those of frames in time stay as they are."""
    outages = Outages([0], 5.0, 0)
    outages.came(0, 3 * S, 1)
    assert outages.after(0, 4 * S) == 4 * S
    outages.begun(9 * S)
    assert outages.after(0, 8 * S - 10) == 8 * S + 1
    assert outages.after(0, 9 * S) == 9 * S
    assert outages.after(1, 1) == 1
