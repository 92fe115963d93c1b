"""Rows of plain files: the series that every trainer of rows starts from."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.block import Bool, Float32, Int64


@dataclass(frozen=True, slots=True)
class Series:
    """One stream's readings in time order.

    ``times`` are microseconds since 1970. ``labels`` is true where a row is known to be anomalous,
    and None where nobody has looked. ``notes`` tell what reading changed or found (rows dropped).
    """

    name: str
    times: Int64  # [T]
    values: Float32  # [T, F]
    features: tuple[str, ...]
    labels: Bool | None = None  # [T]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    def rows(self, start: int, stop: int) -> Series:
        """The rows from ``start`` up to ``stop``."""
        return Series(
            self.name,
            self.times[start:stop],
            self.values[start:stop],
            self.features,
            None if self.labels is None else self.labels[start:stop],
            self.notes,
        )
