"""A frame as a row: the picture's size and its detections in a fixed number of columns.

``width, height``, the frame's number in two columns, and then, for each of ``most`` detections,
``left, top, width, height, score`` and its appearance. What a frame does not fill is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.block import Float32, Int64
from pipeline.detect.base import Detections

HEADER = 4  # width, height, number in two pieces
PIECE = 1 << 20  # a float32 holds whole numbers up to 2^24: frames are counted for longer than that
MAX_NUMBER = (1 << 44) - 1  # of a frame: the first piece ends at 2^24
BOX = 5  # left, top, width, height, score


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera's picture as the tracker sees it. ``size`` is its width and height in pixels.

    ``number`` counts the camera's frames, also those that were not used.
    """

    number: int
    size: tuple[int, int]
    found: Detections


class Layout:
    """Rows of up to ``most`` detections with ``appearance`` further numbers each."""

    def __init__(self, most: int, appearance: int = 0) -> None:
        self.most, self.appearance = most, appearance
        self.columns = BOX + appearance
        self.width = HEADER + most * self.columns

    def row(self, frame: Frame) -> tuple[Float32, int]:
        """The row [width] of a frame, and how many detections did not fit: the least sure."""
        found = frame.found
        row = np.full(self.width, np.nan, np.float32)
        row[:HEADER] = *frame.size, *divmod(frame.number, PIECE)
        kept = np.arange(len(found))
        if len(found) > self.most:
            kept = np.argpartition(-found.scores, self.most - 1)[: self.most]
            kept.sort()
        cells = row[HEADER:].reshape(self.most, self.columns)[: len(kept)]
        cells[:, :4], cells[:, 4] = found.boxes[kept], found.scores[kept]
        cells[:, BOX:] = found.appearance[kept]
        return row, len(found) - len(kept)

    def frame(self, row: Float32) -> Frame:
        """The frame that ``row`` [width] holds."""
        cells = row[HEADER:].reshape(self.most, self.columns)
        # Detections come first; one with a broken box is still one, so the score alone decides.
        count = self.most - int(np.argmax(~np.isnan(cells[::-1, 4]))) if len(cells) else 0
        if count == self.most and (not self.most or np.isnan(cells[-1, 4])):
            count = 0
        found = Detections(cells[:count, :4], cells[:count, 4], cells[:count, BOX:])
        return Frame(int(numbers(row[None])[0]), (int(row[0]), int(row[1])), found)


def numbers(rows: Float32) -> Int64:
    """The frames' numbers [N] of ``rows`` [N, W]."""
    found: Int64 = rows[:, 2].astype(np.int64) * PIECE + rows[:, 3].astype(np.int64)
    return found
