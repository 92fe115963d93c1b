"""A decoded frame as a picture of blue, green and red."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.detect.base import Picture

if TYPE_CHECKING:
    import av


class Painter:
    """Converts the frames of one camera, of any size; what it needs for that it keeps."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()

    def bgr(self, frame: av.VideoFrame) -> Picture | None:
        """The picture [H, W, 3]; None where the library can't convert the frame."""
        try:
            # One thread: starting more takes longer than a picture does.
            painted = self._reformatter.reformat(frame, format="bgr24", threads=1)
            return np.asarray(painted.to_ndarray(), np.uint8)
        except Exception:  # which ones odd formats bring about nobody has written down
            return None
