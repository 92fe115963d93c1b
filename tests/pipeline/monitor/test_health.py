"""Alive and ready: what the loop tells, and what is made of it."""

from __future__ import annotations

from pipeline.monitor.health import Health, Vitals


class Clock:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def test_a_fresh_heart_is_alive() -> None:
    """Also before the first beat, and up to the limit."""
    clock = Clock()
    vitals = Vitals(stale_after_s=5, clock=clock)
    clock.now += 5
    assert vitals().faults() == []


def test_a_heart_that_stops_is_noticed_and_recovers() -> None:
    """The reason names the time; the next beat mends it."""
    clock = Clock()
    vitals = Vitals(stale_after_s=5, clock=clock)
    vitals.beat()
    clock.now += 12
    assert vitals().faults() == ["the loop has not turned for 12 s"]
    vitals.beat()
    assert vitals().faults() == []


def test_a_failure_is_for_good() -> None:
    """A beat of just now no longer counts."""
    assert Health(0.0, "the broker fenced us").faults() == ["the broker fenced us"]


def test_waiting_is_told_with_its_newest_detail_until_done() -> None:
    """Several things may be waited for at once."""
    vitals = Vitals()
    vitals.wait("recovery", "10 % replayed")
    vitals.wait("recovery", "60 % replayed")
    vitals.wait("source")
    assert vitals().waiting == ("recovery: 60 % replayed", "source")
    vitals.done("recovery")
    vitals.done("never announced")
    assert vitals().waiting == ("source",)
    vitals.done("source")
    assert vitals().waiting == ()


def test_a_wait_that_was_announced_is_no_hang() -> None:
    """Until it takes longer than was said; the next turn counts as ever."""
    clock = Clock()
    vitals = Vitals(stale_after_s=10, clock=clock)
    vitals.beat(100)
    clock.now += 99
    assert vitals().faults() == []
    vitals.renew()
    clock.now += 99
    assert vitals().faults() == []
    clock.now += 2
    assert vitals().faults()
    vitals.beat()
    assert vitals().faults() == []
    clock.now += 11
    assert vitals().faults()
