"""OpenCV's people detector: histograms of oriented gradients, and a linear classifier of them.

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005. It comes with
OpenCV, so nothing has to be downloaded; it sees upright people who are not much hidden.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pipeline.block import Float32
from pipeline.detect.base import Detections, Picture, no_detections
from pipeline.detect.nms import suppress
from pipeline.detect.opencv import opencv

WINDOW = (64, 128)  # pixels of the classifier's window
STRIDE, PADDING = 8, 8  # how far it moves at a time, and how far beyond the picture
STEP = 1.25  # from one size of the picture to the next

# The picture is looked at in this height: a person, about 100 pixels of the window, is found from
# a ninth of the picture's height on. Very long pictures are kept to as many pixels, and small ones
# are not blown up until there is nothing to see in them.
HEIGHT = 864
MOST_PIXELS = 2 << 20
LARGEST_SCALE = 3.0

# The part of a window that a person fills: shares cut off its left, top, right and bottom.
MARGIN = (0.2, 0.12, 0.2, 0.1)

# From the classifier's margin to the share of such boxes that were people, a logistic fit to
# frames 1-400 of PETS 2009 S2.L1, view 1.
SLOPE, OFFSET = 2.2, -2.0

OVERLAP = 0.4  # it finds a person several times: of boxes that overlap by more one is kept


class HogDetector:
    """Boxes of at least ``min_score`` (0 to 1); ``overlap`` bounds that of two of them.

    ``threads`` bounds OpenCV's cores in the whole process. Raises EngineError without OpenCV.
    """

    device = "cpu"
    appearance = 0

    def __init__(
        self, *, min_score: float = 0.1, overlap: float = OVERLAP, threads: int = 1
    ) -> None:
        self._cv2 = opencv()
        self._cv2.setNumThreads(threads)
        self.name = f"opencv {self._cv2.__version__} hog"
        self._hog = self._cv2.HOGDescriptor()
        self._hog.setSVMDetector(self._cv2.HOGDescriptor_getDefaultPeopleDetector())
        self._min_score, self._overlap = min_score, min(overlap, OVERLAP)
        likely = min(max(min_score, 1e-3), 1 - 1e-3)
        self._least = (math.log(likely / (1 - likely)) - OFFSET) / SLOPE

    def detect(
        self,
        pictures: Sequence[Picture],
        cameras: Sequence[str],  # noqa: ARG002  # the contract's
    ) -> list[Detections]:
        """The boxes of each picture."""
        return [self._one(picture) for picture in pictures]

    def close(self) -> None:
        """Nothing to release."""

    def _one(self, picture: Picture) -> Detections:
        tall, wide = picture.shape[:2]
        scale = min(HEIGHT / tall, math.sqrt(MOST_PIXELS / (tall * wide)), LARGEST_SCALE)
        size = (max(1, round(wide * scale)), max(1, round(tall * scale)))
        if size[0] < WINDOW[0] or size[1] < WINDOW[1]:
            return no_detections()
        cv2 = self._cv2
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        found, margins = self._hog.detectMultiScale(
            cv2.resize(picture, size, interpolation=how),
            hitThreshold=self._least,
            winStride=(STRIDE, STRIDE),
            padding=(PADDING, PADDING),
            scale=STEP,
            groupThreshold=0,
        )
        if not len(found):
            return no_detections()
        corners = _people(np.asarray(found, np.float32) / np.float32(scale))
        scores = _scores(np.asarray(margins, np.float32).ravel())
        kept = suppress(corners, scores, np.zeros(len(scores), np.int64), self._overlap)
        kept = kept[scores[kept] >= self._min_score]
        boxes = corners[kept]
        boxes[:, 2:] -= boxes[:, :2]
        return Detections(boxes, scores[kept], np.zeros((len(kept), 0), np.float32))


def _people(windows: Float32) -> Float32:
    """Corners of the people in windows [K, 4] of left, top, width and height."""
    left, top, right, bottom = MARGIN
    starts = windows[:, :2] + windows[:, 2:] * np.array([left, top], np.float32)
    ends = windows[:, :2] + windows[:, 2:] * np.array([1 - right, 1 - bottom], np.float32)
    return np.concatenate([starts, ends], axis=1)


def _scores(margins: Float32) -> Float32:
    """The classifier's margins, which have no bound, as shares: 0 to 1."""
    return np.asarray(1 / (1 + np.exp(-(SLOPE * margins + OFFSET))), np.float32)
