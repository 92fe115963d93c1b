"""When the live page takes pictures of cameras, and whose boxes it shows with them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.monitor.sights import LOOK_S, SHARE, Glance, Sights
from tests.pipeline.monitor.sketches import Clock, Sketcher
from tests.pipeline.monitor.street import GATE, Street

NOTHING = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture
def clock() -> Clock:
    """A clock at some time."""
    return Clock()


@pytest.fixture
def sights(clock: Clock) -> Sights:
    """Sights with pictures."""
    return Sights((GATE,), printer=Sketcher(), clock=clock)


def test_pictures_are_taken_only_while_somebody_looks(sights: Sights, clock: Clock) -> None:
    """Five a second at most, and none when the viewer has been gone for a while."""
    for time in (1, 2):
        sights.picture("door", time, NOTHING)
        assert sights.jpeg(b"door", time) is None
    sights.read(Glance())
    sights.picture("door", 3, NOTHING)
    sights.picture("door", 4, NOTHING)
    assert sights.jpeg(b"door", 3) == b"jpeg 0"
    assert sights.jpeg(b"door", 4) is None
    clock.now += 0.21
    sights.picture("door", 5, NOTHING)
    assert sights.jpeg(b"door", 5) is not None
    clock.now += LOOK_S + 0.1
    sights.picture("door", 6, NOTHING)
    assert sights.jpeg(b"door", 6) is None
    sights.read(Glance(pictures=False))
    sights.picture("door", 7, NOTHING)
    assert sights.jpeg(b"door", 7) is None


def test_the_camera_that_is_looked_at_comes_first(sights: Sights, clock: Clock) -> None:
    """It has five pictures a second, the others one; with a viewer of all they have as many."""
    taken = {"door": 0, "yard": 0}

    def look(glance: Glance, seconds: float) -> dict[str, int]:
        before = dict(taken)
        for _ in range(round(seconds / 0.05)):
            sights.read(glance)
            for name in taken:
                at = round(clock.now * 1e6)
                sights.picture(name, at, NOTHING)
                taken[name] += sights.jpeg(name.encode(), at) is not None
            clock.now += 0.05
        return {name: count - before[name] for name, count in taken.items()}

    found = look(Glance("yard"), 6)
    assert found["yard"] == pytest.approx(27, abs=4)
    assert found["door"] == pytest.approx(6, abs=2)
    found = look(Glance(), 6)
    assert found["door"] == pytest.approx(found["yard"], abs=2)


def test_costly_pictures_become_rare(sights: Sights, clock: Clock) -> None:
    """So that they take a small share of the loop's time."""
    sights._cost_s = 0.05
    sights.read(Glance("door"))
    sights.picture("door", 1, NOTHING)
    waits = sights._cost_s / SHARE
    assert waits > 2
    clock.now += 0.9 * waits
    sights.read(Glance("door"))
    sights.picture("door", 2, NOTHING)
    assert sights.jpeg(b"door", 2) is None
    clock.now += 0.2 * waits
    sights.read(Glance("door"))
    sights.picture("door", 3, NOTHING)
    assert sights.jpeg(b"door", 3) is not None


def test_boxes_are_those_of_the_picture(clock: Clock) -> None:
    """While pictures come, only frames that have one are told, and their picture is there."""
    sights, street = Sights(printer=Sketcher(), clock=clock), Street(("door",))
    glance, told = Glance(), []
    for _ in range(40):
        at = round(clock.now * 1e6)
        picture = street.picture(0)
        sights.read(Glance())
        sights.picture("door", at, picture)
        batch, records = street.step(clock.now)
        sights.observe(batch, records)
        found = sights.read(glance)["cameras"]
        if found:
            told.append(found[0]["time"])
            assert found[0]["pictured"]
            assert sights.jpeg(b"door", at) == b"jpeg %d" % int(picture.sum())
        clock.now += 0.07
    assert len(told) == pytest.approx(14, abs=2)
