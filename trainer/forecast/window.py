"""The look-back window in a stream's state: rows on a grid of the sampling step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.manifest import Part

VALUE_LIMIT = 1e20  # a reading beyond is taken for this, so that no forecast is infinite

Parts = tuple[Tensor, ...]


class Window(nn.Module):
    """Keeps the last ``rows`` grid cells of ``features`` values, the newest last.

    A stream's first row lies on the grid; each later one belongs to the cell nearest to its time.
    Over a gap the window moves by as many cells, and the last value is carried forward; a row in
    the cell of the one before takes its place. A value that a row lacks is the last one's. Before
    a feature's first value the window holds what training found as its middle, and the first value
    fills the whole window: a forecast is made with what is there.
    """

    def __init__(self, features: int, rows: int, interval_s: float) -> None:
        super().__init__()
        self.features, self.rows, self.interval_s = features, rows, interval_s
        self.parts = (
            Part(name="window", shape=(rows, features)),
            Part(name="seen", shape=(features,)),  # 1 once the feature had a value
            Part(name="phase"),  # how far after its cell the last row lay, in sampling steps
        )

    def push(self, x: Tensor, parts: Parts, middle: Tensor) -> tuple[Tensor, Parts]:
        """``x [B, F + C]``, C beginning with ``elapsed_s`` → the window [B, W, F], the parts after.

        ``middle [F]`` is what a feature is taken for until it had a value.
        """
        flat, seen, phase = parts
        window = flat.reshape(-1, self.rows, self.features)
        values, elapsed = x[:, : self.features], x[:, self.features : self.features + 1]
        place = phase + elapsed / self.interval_s
        cells = torch.round(place)
        window = self._moved(window, cells)
        lacking = torch.isnan(values)
        last = torch.where(seen > 0, window[:, -1], middle)
        values = torch.where(lacking, last, values).clamp(-VALUE_LIMIT, VALUE_LIMIT).unsqueeze(1)
        # The whole window where nothing was known before, and its last cell in any case.
        before = torch.where(seen.unsqueeze(1) > 0, window[:, :-1], values)
        window = torch.cat([before, values], dim=1)
        seen = torch.where(lacking, seen, torch.ones_like(seen))
        return window, (window.flatten(1), seen, place - cells)

    def _moved(self, window: Tensor, cells: Tensor) -> Tensor:
        """The window [B, W, F] after ``cells`` [B, 1] more, the last value carried forward."""
        newest = self.rows - 1
        at = torch.arange(self.rows, dtype=torch.float32) + cells
        at = at.clamp(0.0, float(newest)).to(torch.int64)
        return torch.gather(window, 1, at.unsqueeze(2).expand(-1, -1, self.features))
