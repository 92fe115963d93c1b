"""How long a video is, as far as it says."""

from __future__ import annotations

import av


def frames_of(video: str) -> int | None:
    """About how many frames the file has; None where it doesn't say, or is no video."""
    try:
        with av.open(video) as container:
            stream = container.streams.video[0]
            if stream.frames:
                return stream.frames
            if stream.duration and stream.time_base and stream.average_rate:
                return round(stream.duration * stream.time_base * stream.average_rate)
    except (av.FFmpegError, OSError, IndexError):
        return None  # the pipeline says what is wrong with it
    return None
