"""Between source and loop: how loud the sound is, and the wish that it end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline.block import Block, Polled
from pipeline.sources.base import Assignee, Positions, Source

CLIPPED = 0.999
CLIP_SHOWN_S = 1.0
MAX_STREAMS = 256  # whose levels are kept


class EndingSource(Source, Protocol):
    """A source of sound that can be told to end its streams."""

    def end(self) -> None:
        """Let the next polls end the streams: their last words come, then nothing any more."""
        ...


@dataclass(frozen=True, slots=True)
class Level:
    """A stream's loudness a moment ago: root mean square and highest sample, 1.0 is full scale."""

    rms: float
    peak: float
    clipped_s: float  # time.monotonic() of the last sample at full scale
    ended: bool = False

    @property
    def clipping(self) -> bool:
        """Whether full scale was reached just now."""
        return time.monotonic() - self.clipped_s < CLIP_SHOWN_S


class Tap:
    """Hands on what ``source`` delivers and measures it; ``levels`` may be read by any thread."""

    def __init__(self, source: EndingSource) -> None:
        self._source = source
        self.topic, self.replayable = source.topic, source.replayable
        self.levels: Mapping[str, Level] = {}

    def poll(self, timeout_s: float) -> Polled:
        """What the source's poll brings."""
        polled = self._source.poll(timeout_s)
        if polled.blocks:
            levels = dict(self.levels)
            for block in polled.blocks:
                _measure(block, levels)
            self.levels = dict(list(levels.items())[-MAX_STREAMS:])
        return polled

    def end(self) -> None:
        """Let the source end."""
        self._source.end()

    def open(self, assignee: Assignee) -> None:
        """The source's."""
        self._source.open(assignee)

    def positions(self) -> Positions:
        """The source's."""
        return self._source.positions()

    def lag(self) -> Mapping[int, int]:
        """The source's."""
        return self._source.lag()

    def at_end(self) -> Mapping[int, bool]:
        """The source's."""
        return self._source.at_end()

    def finished(self) -> bool:
        """The source's."""
        return self._source.finished()

    def commit(self, positions: Positions) -> None:
        """The source's."""
        self._source.commit(positions)

    def group_metadata(self) -> Any:
        """The source's."""
        return self._source.group_metadata()

    def close(self) -> None:
        """The source's."""
        self._source.close()


def _measure(block: Block, levels: dict[str, Level]) -> None:
    """Note the loudness of the block's streams."""
    size = np.abs(block.values)
    for at, key in enumerate(block.table.keys):
        own = block.stream == at
        rows = size[own & ~block.end]
        name = key.decode(errors="replace")
        before = levels.pop(name, None)  # what was heard last comes last
        peak = float(np.nanmax(rows)) if rows.size else 0.0
        clipped = before.clipped_s if before is not None else float("-inf")
        levels[name] = Level(
            float(np.sqrt(np.nanmean(np.square(rows)))) if rows.size else 0.0,
            peak,
            time.monotonic() if peak >= CLIPPED else clipped,
            bool(block.end[own].any()),
        )
