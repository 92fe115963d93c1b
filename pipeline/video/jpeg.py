"""Pictures for viewers: made small, encoded as JPEG."""

from __future__ import annotations

import numpy as np

from pipeline.detect.base import Picture
from pipeline.errors import SourceError

MAX_WIDTH = 640
MAX_HEIGHT = 960
QUALITY = 72


class JpegPrinter:
    """Shrinks and encodes pictures; raises SourceError where OpenCV is missing."""

    def __init__(self, max_width: int = MAX_WIDTH, quality: int = QUALITY) -> None:
        try:
            import cv2
        except ImportError as error:
            raise SourceError(
                "showing the pictures of cameras needs OpenCV: install the extra `camera`"
            ) from error
        self._cv2 = cv2
        self._max_width, self._quality = max_width, quality

    def shrink(self, picture: Picture) -> Picture:
        """The picture [H, W, 3] at most ``max_width`` wide, of the same shape; itself if it is.

        Halving is what OpenCV does fastest without leaving jagged edges; the rest is linear.
        """
        cv2 = self._cv2
        height, width = picture.shape[:2]
        share = min(1.0, self._max_width / width, MAX_HEIGHT / height)
        if share == 1.0:
            return picture
        while share <= 0.5 and min(width, height) > 1:
            width, height, share = width // 2, height // 2, share * 2
            picture = cv2.resize(
                picture[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA
            )
        size = max(1, round(width * share)), max(1, round(height * share))
        if size == (width, height):
            return picture
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def encode(self, picture: Picture) -> bytes:
        """The picture as JPEG."""
        cv2 = self._cv2
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        return bytes(encoded.tobytes())
