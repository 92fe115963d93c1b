"""Pictures for viewers are small, keep their shape, and are JPEG."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.video.jpeg import MAX_HEIGHT, MAX_WIDTH, JpegPrinter


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((1920, 1080), (640, 360)),
        ((768, 576), (640, 480)),
        ((640, 480), (640, 480)),
        ((320, 240), (320, 240)),
        ((1281, 721), (640, 360)),
        ((480, 1920), (240, 960)),
        ((5000, 1), (640, 1)),
    ],
)
def test_large_pictures_are_made_small(size: tuple[int, int], small: tuple[int, int]) -> None:
    """Of the same shape, as bright as before; small ones stay as they are."""
    width, height = size
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    picture = np.broadcast_to(ramp[None, :, None], (height, width, 3)).copy()
    found = JpegPrinter().shrink(picture)
    assert found.shape == (small[1], small[0], 3)
    assert found.dtype == np.uint8
    assert found.shape[1] <= MAX_WIDTH
    assert found.shape[0] <= MAX_HEIGHT
    assert abs(float(found.mean()) - float(picture.mean())) < 2
    if size == small:
        assert found is picture


def test_a_picture_survives_as_jpeg() -> None:
    """Nearly."""
    picture = np.full((90, 160, 3), (40, 120, 200), np.uint8)
    encoded = JpegPrinter().encode(picture)
    assert encoded.startswith(b"\xff\xd8\xff")
    back = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    assert np.abs(back.astype(int) - picture).max() < 6


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that has it."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(SourceError, match="camera"):
        JpegPrinter()
