"""Front ends: what looks at the last few rows at once before anything recurrent does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.manifest import Part
from trainer.blocks.base import Block, State
from trainer.blocks.lstm import LstmLayer


class CausalConv(Block):
    """A convolution over a row and the ``width - 1`` rows before it, with a rectifier.

    The state holds those rows, zeros where there were none, which is how ``forward`` pads.
    """

    def __init__(self, inputs: int, outputs: int, width: int, name: str) -> None:
        super().__init__()
        if width < 2:
            raise ValueError(f"a convolution of width {width} looks at no other row")
        self.inputs, self.outputs, self.width = inputs, outputs, width
        self.parts = (Part(name=f"{name}.tail", shape=(width - 1, inputs)),)
        self.kernel = nn.Linear(width * inputs, outputs)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x [B, I]``, the rows before → [B, O], the last rows."""
        rows = torch.cat([state[0], x], dim=1)
        return torch.relu(self.kernel(rows)), (rows[:, self.inputs :],)

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """``sequence [B, T, I]``, the rows before → [B, T, O], the last rows."""
        tail = state[0].reshape(len(sequence), self.width - 1, self.inputs)
        rows = torch.cat([tail, sequence], dim=1)
        weight = self.kernel.weight.reshape(self.outputs, self.width, self.inputs).transpose(1, 2)
        found = torch.conv1d(rows.transpose(1, 2), weight, self.kernel.bias)
        return torch.relu(found.transpose(1, 2)), (rows[:, 1 - self.width :].flatten(1),)


class SegmentEncoder(Block):
    """An LSTM over the segments of a sliding window (SegRNN, Lin et al. 2023).

    At each row the last ``window`` rows are cut into segments of ``segment`` rows, each of which
    is embedded and read by an LSTM that starts afresh: a few long strides instead of many short
    ones, so that gradients reach far and training is quick. The state is the window, of zeros
    where there were no rows. The output is the LSTM's last h.
    """

    def __init__(self, inputs: int, hidden: int, window: int, segment: int, name: str) -> None:
        super().__init__()
        if window % segment:
            raise ValueError(f"a window of {window} rows has no whole segments of {segment}")
        self.inputs, self.outputs = inputs, hidden
        self.window, self.segment = window, segment
        self.parts = (Part(name=f"{name}.window", shape=(window, inputs)),)
        self.embedding = nn.Linear(segment * inputs, hidden)
        self.cell = LstmLayer(hidden, hidden, name)

    def encode(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """``windows [N, W, I]`` → the LSTM's last h and c, both [N, H]; in one fused call."""
        _, (h, c) = self.cell.forward(self._embedded(windows), self._fresh(windows))
        return h, c

    def encode_stepwise(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """The same in plain operators, for the graph."""
        state = self._fresh(windows)
        for segment in self._embedded(windows).unbind(1):
            _, state = self.cell.step(segment, state)
        h, c = state
        return h, c

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x [B, I]``, the window before → [B, H], the window after."""
        rows = torch.cat([state[0][:, self.inputs :], x], dim=1)
        h, _ = self.encode_stepwise(rows.reshape(-1, self.window, self.inputs))
        return h, (rows,)

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """``sequence [B, T, I]``, the window before → [B, T, H], the window after the last row."""
        before = state[0].reshape(len(sequence), self.window, self.inputs)[:, 1:]
        rows = torch.cat([before, sequence], dim=1)
        windows = rows.unfold(1, self.window, 1).transpose(2, 3)
        h, _ = self.encode(windows.flatten(0, 1))
        return h.reshape(*sequence.shape[:2], -1), (rows[:, -self.window :].flatten(1),)

    def _embedded(self, windows: Tensor) -> Tensor:
        """The segments [N, W/S, H] of windows [N, W, I]."""
        segments = windows.reshape(-1, self.window // self.segment, self.segment * self.inputs)
        return torch.relu(self.embedding(segments))

    def _fresh(self, windows: Tensor) -> State:
        blank = windows.new_zeros(windows.shape[0], self.outputs)
        return blank, blank
