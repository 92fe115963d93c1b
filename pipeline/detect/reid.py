"""Appearance vectors: a re-identification model looks at every person that was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from pipeline.block import Float32
from pipeline.detect.base import Detections, Detector, Picture
from pipeline.detect.model import PictureModel
from pipeline.detect.opencv import opencv
from pipeline.engines.session import Device
from pipeline.errors import EngineError

# Red, green and blue of ImageNet's pictures, of 1: what these models are trained with.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class ReidDetector:
    """Adds to what ``detector`` finds a vector of length 1 for each box, by the model at ``path``.

    The model takes ``[B, 3, H, W]``, red, green and blue, of ImageNet's mean and deviation, and
    gives ``[B, A]``. Boxes of all cameras go through it together, each cut off at the picture's
    edge and stretched to H x W. A box with nothing of the picture in it, and one whose vector is
    not finite, gets zeros. Raises EngineError for a model of another kind.
    """

    def __init__(
        self, detector: Detector, path: Path, *, device: Device = "cpu", threads: int = 1
    ) -> None:
        self._detector = detector
        self.name, self.device = detector.name, detector.device
        self._cv2 = opencv()
        self._model = PictureModel(path, device, threads)
        probed = self._model.probe()
        shape = probed[0].shape
        if len(probed) != 1 or math.prod(shape[2:]) != 1 or len(shape) < 2:
            raise EngineError(
                f"{path}: its outputs have the shapes {[list(one.shape) for one in probed]}; a "
                "re-identification model has one output [B, A]"
            )
        self.appearance = int(shape[1])

    def detect(self, pictures: Sequence[Picture], cameras: Sequence[str]) -> list[Detections]:
        """The boxes of each picture, with their vectors."""
        found = self._detector.detect(pictures, cameras)
        crops = [
            crop
            for picture, one in zip(pictures, found, strict=True)
            for crop in self._crops(picture, one.boxes)
        ]
        vectors = self._vectors(crops)
        starts = [0, *accumulate(map(len, found))]
        return [
            Detections(one.boxes, one.scores, vectors[start : start + len(one)])
            for one, start in zip(found, starts, strict=False)
        ]

    def close(self) -> None:
        """Close the detector."""
        self._detector.close()

    def _crops(self, picture: Picture, boxes: Float32) -> list[Picture | None]:
        """What of the picture is in each box, None for nothing."""
        tall, wide = picture.shape[:2]
        starts = np.floor(boxes[:, :2])
        ends = np.ceil(boxes[:, :2] + boxes[:, 2:])
        limits = (wide, tall)
        x, y = np.clip(starts, 0, limits).astype(np.int64).T
        right, bottom = np.clip(ends, 0, limits).astype(np.int64).T
        return [
            picture[y[at] : bottom[at], x[at] : right[at]]
            if right[at] > x[at] and bottom[at] > y[at]
            else None
            for at in range(len(boxes))
        ]

    def _vectors(self, crops: Sequence[Picture | None]) -> Float32:
        """A vector for each crop: [len(crops), A]."""
        vectors = np.zeros((len(crops), self.appearance), np.float32)
        there = [at for at, crop in enumerate(crops) if crop is not None]
        most, (height, width) = self._model.most, self._model.size
        for start in range(0, len(there), most):
            places = there[start : start + most]
            cells = np.empty((len(places), 3, height, width), np.float32)
            for cell, at in zip(cells, places, strict=True):
                crop = self._cv2.resize(crops[at], (width, height))
                colours = crop[:, :, ::-1] / np.float32(255)
                cell[:] = ((colours - MEAN) / DEVIATION).transpose(2, 0, 1)
            (found,) = self._model.run(cells)
            vectors[places] = _unit(found[: len(places)].reshape(len(places), -1))
        return vectors


def _unit(vectors: Float32) -> Float32:
    """The vectors with length 1; zeros where they have none, or are not finite."""
    vectors = vectors.astype(np.float32)
    vectors[~np.isfinite(vectors).all(axis=1)] = 0
    vectors /= np.maximum(np.abs(vectors).max(axis=1, keepdims=True), np.float32(1e-30))
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, np.float32(1e-30)))
