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
        ("foot", "f4", (2,)),  # where it stood, in shares of the picture; for lines
    ]
    if appearance:
        track.append(("appearance", "f4", (appearance,)))
    return np.dtype(
        [
            ("last_id", "i8"),
            ("frame", "i8"),  # number of the last frame
            ("interval", "f4"),  # seconds that usually pass between two frames; 0: not known yet
            ("tracks", np.dtype(track), (tracks,)),
        ]
    )


def live(camera: Fields) -> npt.NDArray[np.int64]:
    """How many tracks [N] each of N cameras has that are confirmed."""
    tracks = camera["tracks"]
    found: npt.NDArray[np.int64] = ((tracks["id"] > 0) & tracks["confirmed"]).sum(axis=1)
    return found
