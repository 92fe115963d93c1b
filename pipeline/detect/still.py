"""Pictures in which nothing moves are not looked at again: they keep their boxes for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.detect.base import Detections, Detector, Picture
from pipeline.detect.opencv import opencv

SIZE = (160, 120)  # pictures are compared as small as this, so that noise averages out
BLUR = 5  # pixels of it
CHANGED = 10  # grey levels of 256 by which a pixel must differ

Thumbnail = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Look:
    """The last look at a camera: its picture's shape and thumbnail, when, and what was there."""

    shape: tuple[int, ...]
    thumbnail: Thumbnail
    at_s: float
    found: Detections


class StillDetector:
    """Passes on to ``detector`` only the pictures that changed since their camera's last look.

    A picture keeps that look's boxes where at most the ``share`` of its pixels changed since, and
    the look is not older than ``longest_s`` by ``clock``. ``skipped(n)`` is told of n such
    pictures.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        share: float,
        longest_s: float,
        skipped: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._detector = detector
        self.name, self.device = detector.name, detector.device
        self.appearance = detector.appearance
        self._share, self._longest_s = share, longest_s
        self._skipped, self._clock = skipped, clock
        self._cv2 = opencv()
        self._looks: dict[str, _Look] = {}

    def detect(self, pictures: Sequence[Picture], cameras: Sequence[str]) -> list[Detections]:
        """The boxes of each picture, new or kept."""
        now = self._clock()
        small = [self._thumbnail(picture) for picture in pictures]
        results: list[Detections | None] = [
            self._kept(*each, now) for each in zip(pictures, small, cameras, strict=True)
        ]
        moved = [at for at, found in enumerate(results) if found is None]
        if moved:
            looked = self._detector.detect(
                [pictures[at] for at in moved], [cameras[at] for at in moved]
            )
            for at, found in zip(moved, looked, strict=True):
                self._looks[cameras[at]] = _Look(pictures[at].shape, small[at], now, found)
                results[at] = found
        if len(moved) < len(pictures):
            self._skipped(len(pictures) - len(moved))
        return [found for found in results if found is not None]

    def close(self) -> None:
        """Close the detector."""
        self._detector.close()

    def _thumbnail(self, picture: Picture) -> Thumbnail:
        cv2 = self._cv2
        # Averaging over all pixels costs ten times as much and tells no more.
        twice = cv2.resize(picture, (2 * SIZE[0], 2 * SIZE[1]), interpolation=cv2.INTER_LINEAR)
        small = cv2.resize(twice, SIZE, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        return np.asarray(cv2.GaussianBlur(grey, (BLUR, BLUR), 0), np.uint8)

    def _kept(
        self, picture: Picture, thumbnail: Thumbnail, camera: str, now: float
    ) -> Detections | None:
        """The last look's boxes where they still hold."""
        look = self._looks.get(camera)
        if look is None or look.shape != picture.shape or now - look.at_s >= self._longest_s:
            return None
        changed = self._cv2.absdiff(thumbnail, look.thumbnail) >= CHANGED
        return look.found if float(changed.mean()) <= self._share else None
