"""What a camera's row of the slot pool holds of its tracks, beside the model's states."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Fields = npt.NDArray[Any]  # structured


def camera_dtype(tracks: int, appearance: int) -> np.dtype[Any]:
    """One camera with places for ``tracks`` tracks, whose looks take ``appearance`` numbers."""
    track: list[Any] = [
        ("id", "i8"),  # counts the camera's tracks from 1; 0: the place is free
        ("box", "f4", (4,)),  # the estimate: centre x, centre y, width, height in pixels
        ("next", "f4", (4,)),  # the prediction for one ``interval`` later
        ("sd", "f4", (4,)),  # its standard deviations
        ("interval", "f4"),  # seconds that the track's last step was told of
        ("hits", "i4"),  # frames with a detection
        ("misses", "i4"),  # frames since the last one
        ("frames", "i8"),  # since it began
        ("confirmed", "?"),
        ("entered", "i8"),  # µs, when it was confirmed
        ("last_seen", "i8"),  # µs
        ("foot", "f4", (2,)),  # where it was seen to stand, in shares of the picture; for lines
    ]
    if appearance:
        track.append(("appearance", "f4", (appearance,)))
    return np.dtype(
        [
            ("last_id", "i8"),
            ("frame", "i8"),  # number of the last frame
            ("size", "f4", (2,)),  # of its picture, in pixels
            ("interval", "f4"),  # seconds that usually pass between two frames; 0: not known yet
            ("tracks", np.dtype(track), (tracks,)),
        ]
    )


def live(cameras: Fields, which: npt.NDArray[np.int32]) -> int:
    """How many confirmed tracks the cameras at ``which`` have."""
    tracks = cameras["tracks"]  # two of its fields are copied, not all
    return int(np.count_nonzero((tracks["id"][which] > 0) & tracks["confirmed"][which]))
