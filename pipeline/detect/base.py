"""The detector contract: pictures in, boxes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.block import Float32

Picture = npt.NDArray[np.uint8]  # [H, W, 3], blue, green, red


@dataclass(frozen=True, slots=True)
class Detections:
    """K boxes found in one picture, in any order."""

    boxes: Float32  # [K, 4]: left, top, width, height in pixels; may reach beyond the picture
    scores: Float32  # [K], higher is surer
    appearance: Float32  # [K, A]: unit vectors that are alike for the same person; A may be 0

    def __len__(self) -> int:
        return len(self.scores)


def no_detections(appearance: int = 0) -> Detections:
    """What is found in an empty picture; vectors of ``appearance`` numbers."""
    return Detections(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, appearance), np.float32),
    )


class Detector(Protocol):
    """Finds people (or whatever it was made for) in pictures of any size.

    ``name`` and ``device`` say what it runs on; ``appearance`` is A, the length of the vectors.
    """

    name: str
    device: str
    appearance: int

    def detect(self, pictures: Sequence[Picture], cameras: Sequence[str]) -> list[Detections]:
        """The boxes of each picture, one entry a picture; raises EngineError.

        ``cameras`` names each picture's camera: what is kept between calls is kept by that name.
        """
        ...

    def close(self) -> None:
        """Release what it holds; twice is fine."""
        ...
