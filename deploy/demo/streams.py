"""The live streams that a demo plays: a real one, and copies of it that differ."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.block import Float32, Int64


@dataclass(frozen=True, slots=True)
class Streams:
    """S streams of T rows each, all at the same ``times``; ``keys[0]`` is the real one."""

    feature: str  # the one value of a row
    keys: tuple[bytes, ...]  # [S]
    times: Int64  # [T], microseconds since 1970
    values: Float32  # [T, S]

    @property
    def rows(self) -> int:
        """T, the rows of each stream."""
        return len(self.times)

    @property
    def real(self) -> str:
        """The name of the real one."""
        return self.keys[0].decode()

    def __len__(self) -> int:
        return len(self.keys)
