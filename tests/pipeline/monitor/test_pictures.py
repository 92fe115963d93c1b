"""Pictures of cameras: kept in bounded memory, encoded once and only when asked for."""

from __future__ import annotations

import threading

import numpy as np

from pipeline.detect.base import Picture
from pipeline.monitor.pictures import KEPT, MAX_BYTES, Pictures


class Counter:
    """A printer that counts."""

    def __init__(self) -> None:
        self.encoded = 0
        self.busy = self.most = 0

    def shrink(self, picture: Picture) -> Picture:
        """Every second pixel."""
        return picture[::2, ::2].copy()

    def encode(self, picture: Picture) -> bytes:
        """Its shape."""
        self.busy += 1
        self.most = max(self.most, self.busy)
        self.encoded += 1
        self.busy -= 1
        return b"%dx%d" % picture.shape[:2]


def picture(side: int = 8) -> Picture:
    """A black one."""
    return np.zeros((side, side, 3), np.uint8)


def test_a_picture_is_encoded_once() -> None:
    """When it is first asked for, by whomever, one at a time."""
    counter = Counter()
    kept = Pictures(counter)
    kept.put(b"door", 5, picture())
    assert kept.has(b"door", 5)
    assert counter.encoded == 0
    threads = [threading.Thread(target=kept.jpeg, args=(b"door", 5)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert kept.jpeg(b"door", 5) == b"4x4"
    assert (counter.encoded, counter.most) == (1, 1)
    assert kept.jpeg(b"door", 6) is None
    assert kept.jpeg(b"yard", 5) is None


def test_the_oldest_of_a_camera_go_first() -> None:
    """A few of each are kept."""
    kept = Pictures(Counter())
    for time in range(20):
        kept.put(b"door", time, picture())
    kept.put(b"yard", 3, picture())
    kept.put(b"yard", 3, picture(16))  # once is enough
    assert [time for time in range(20) if kept.has(b"door", time)] == list(range(20 - KEPT, 20))
    assert kept.jpeg(b"yard", 3) == b"4x4"
    kept.forget(b"door")
    kept.forget(b"nobody")
    assert not any(kept.has(b"door", time) for time in range(20))


def test_memory_is_bounded() -> None:
    """However many cameras there are; what was encoded takes little of it."""
    kept = Pictures(Counter())
    size = picture(2000)[::2, ::2].nbytes
    for camera in range(40):
        kept.put(b"%d" % camera, 1, picture(2000))
        assert kept._bytes <= MAX_BYTES
    assert not kept.has(b"0", 1)
    assert kept.has(b"39", 1)
    before = kept._bytes
    kept.jpeg(b"39", 1)
    assert kept._bytes == before - size + len(b"1000x1000")
    for camera in range(40):
        kept.forget(b"%d" % camera)
    assert kept._bytes == 0
    assert not kept._times
