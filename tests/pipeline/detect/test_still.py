"""Pictures in which nothing moves keep their boxes, for a while."""

from __future__ import annotations

import numpy as np

from pipeline.detect.base import Picture
from pipeline.detect.still import StillDetector
from tests.pipeline.detect.fakes import Told

BOX = [[10.0, 20.0, 30.0, 40.0]]


class Rig:
    """A detector of what is told, a clock moved by hand, and a tally."""

    def __init__(self, share: float = 0.01) -> None:
        self.told = Told({"a": BOX, "b": []})
        self.now, self.skipped = 0.0, 0
        self.still = StillDetector(
            self.told, share=share, longest_s=2, skipped=self.count, clock=lambda: self.now
        )

    def count(self, pictures: int) -> None:
        """Add to the tally."""
        self.skipped += pictures


def street(*, person: int | None = None, noise: int = 0, seed: int = 0) -> Picture:
    """A textured picture, perhaps with a bright figure at ``person`` pixels, perhaps noisy."""
    rng = np.random.default_rng(3)
    picture = np.kron(rng.integers(40, 200, (24, 32, 3)), np.ones((20, 20, 1)))
    if person is not None:
        picture[200:300, person : person + 40] = 255
    picture = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def test_a_still_picture_keeps_its_boxes() -> None:
    """Noise is no motion; the detector is not asked, and it is counted."""
    rig = Rig()
    (first,) = rig.still.detect([street(noise=12, seed=1)], ["a"])
    (second,) = rig.still.detect([street(noise=12, seed=2)], ["a"])
    assert second is first
    assert (rig.told.shown, rig.skipped) == ([["a"]], 1)


def test_motion_is_looked_at() -> None:
    """Also where it is slow: compared is what was there at the last look."""
    rig = Rig()
    for person in (0, 0, 100):
        rig.still.detect([street(person=person)], ["a"])
    assert (len(rig.told.shown), rig.skipped) == (2, 1)
    rig = Rig()
    for person in range(0, 80, 4):
        rig.still.detect([street(person=person)], ["a"])
    assert 1 < len(rig.told.shown) < 15


def test_a_still_picture_is_looked_at_in_the_end() -> None:
    """After the longest time that boxes may be kept."""
    rig = Rig()
    for now in (0, 1, 1.9, 2, 3, 4):
        rig.now = now
        rig.still.detect([street()], ["a"])
    assert (len(rig.told.shown), rig.skipped) == (3, 3)


def test_cameras_are_told_apart() -> None:
    """Only what moved is passed on; the results keep their order."""
    rig = Rig()
    rig.still.detect([street(), street(person=10)], ["a", "b"])
    found = rig.still.detect([street(person=400), street(person=10)], ["a", "b"])
    assert rig.told.shown == [["a", "b"], ["a"]]
    assert [len(one) for one in found] == [1, 0]
    assert rig.still.detect([], []) == []


def test_another_size_is_another_picture() -> None:
    """Boxes are in pixels."""
    rig = Rig()
    black = np.zeros((480, 640, 3), np.uint8)
    rig.still.detect([black], ["a"])
    rig.still.detect([black[::2, ::2]], ["a"])
    assert (len(rig.told.shown), rig.skipped) == (2, 0)


def test_it_is_what_it_wraps() -> None:
    """Its name, its vectors, and its end."""
    rig = Rig()
    assert (rig.still.name, rig.still.device, rig.still.appearance) == ("told", "cpu", 0)
    rig.still.close()
    assert rig.told.closed == 1
