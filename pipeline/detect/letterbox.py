"""Pictures of any size as a model takes them, and its boxes back in the picture's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.block import Float32
from pipeline.detect.base import Picture
from pipeline.detect.opencv import opencv

GREY = 114  # what fills up the rest, in the models of the YOLO family

Place = Literal["corner", "centre", "stretch"]
Colours = Literal["bgr255", "rgb255", "rgb1"]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a picture lies in the model's input: pixel x of it is at ``x * scale + offset``.

    Both are (horizontal, vertical).
    """

    scale: tuple[float, float]
    offset: tuple[int, int]

    def back(self, corners: Float32) -> Float32:
        """Boxes in the picture ``[K, 4]`` (left, top, width, height) of corners in the input."""
        scale = np.array(self.scale * 2, np.float32)
        offset = np.array(self.offset * 2, np.float32)
        boxes = (corners - offset) / scale
        boxes[:, 2:] -= boxes[:, :2]
        return boxes


class Letterbox:
    """Puts pictures into inputs of ``size`` (height, width).

    ``place``: scaled as a whole into the upper left ``corner`` or the ``centre``, or to the full
    size whatever its shape (``stretch``). ``colours`` are their order and what white is.
    """

    def __init__(self, size: tuple[int, int], place: Place, colours: Colours) -> None:
        self.size, self._place, self._colours = size, place, colours
        self._cv2 = opencv()

    def fill(self, picture: Picture, cell: Float32) -> Placed:
        """Write ``picture`` [h, w, 3] into ``cell`` [3, H, W]; returns where it lies in it."""
        (height, width), (tall, wide) = self.size, picture.shape[:2]
        down, right = height / tall, width / wide
        if self._place != "stretch":
            down = right = min(down, right)
        inner = (max(1, round(wide * right)), max(1, round(tall * down)))
        offset = (0, 0)
        if self._place == "centre":
            offset = ((width - inner[0]) // 2, (height - inner[1]) // 2)
        if inner != (wide, tall):
            picture = self._cv2.resize(picture, inner, interpolation=self._cv2.INTER_LINEAR)
        colours = picture if self._colours == "bgr255" else picture[:, :, ::-1]
        if inner != (width, height):
            cell[:] = GREY
        x, y = offset
        inside = cell[:, y : y + inner[1], x : x + inner[0]]
        inside[:] = colours.transpose(2, 0, 1)
        if self._colours == "rgb1":
            cell *= np.float32(1 / 255)
        return Placed((inner[0] / wide, inner[1] / tall), offset)
