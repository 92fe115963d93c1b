"""Whether a picture still moves."""

from __future__ import annotations

import av
import numpy as np
import pytest

from pipeline.detect.base import Picture
from pipeline.video.frozen import Frozen, fingerprint
from tests.pipeline.video.clips import picture


def frame(shown: Picture, form: str = "yuv420p") -> av.VideoFrame:
    """A picture as a codec would give it."""
    made: av.VideoFrame = av.VideoFrame.from_ndarray(shown, format="bgr24").reformat(format=form)
    return made


@pytest.mark.parametrize("form", ["yuv420p", "yuvj422p", "yuyv422", "bgr24", "gray"])
@pytest.mark.parametrize("width", [128, 98])
def test_the_same_picture_has_the_same_print(form: str, width: int) -> None:
    """Another one has another, in every layout of pixels; so has another size."""
    one, two = (fingerprint(frame(picture(1, width), form)) for _ in range(2))
    assert one == two
    assert one != fingerprint(frame(picture(2, width), form))
    assert one != fingerprint(frame(picture(1, width + 2), form))


def test_a_small_change_is_enough() -> None:
    """Eight rows of a clock in a corner."""
    shown = picture(1)
    changed = shown.copy()
    changed[80:88, 100:110] = 255 - changed[80:88, 100:110]
    assert not np.array_equal(shown, changed)
    assert fingerprint(frame(shown)) != fingerprint(frame(changed))


def test_a_picture_that_stays_is_noticed_again_and_again() -> None:
    """Every ``limit_s``, until another comes."""
    frozen, still = Frozen(2.0), frame(picture(1))
    noticed = [frozen.too_long(still, now_s) for now_s in range(6)]
    assert noticed == [False, False, True, False, True, False]
    assert frozen.stuck
    assert not frozen.too_long(frame(picture(2)), 6)
    assert not frozen.stuck


def test_without_a_limit_nothing_is_frozen() -> None:
    """A camera may film a wall."""
    frozen, still = Frozen(0), frame(picture(1))
    assert not any(frozen.too_long(still, now_s) for now_s in range(1000))
