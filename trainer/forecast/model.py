"""The forecasting model: a segment-wise LSTM over each feature's look-back window.

After Lin et al., "SegRNN: Segment Recurrent Neural Network for Long-Term Time Series Forecasting"
(2023): one LSTM reads the window in segments, and from its last state the same LSTM makes one step
to every segment of the future at once, told apart by an embedding of the segment's place. A linear
map of the window goes past it, after Zeng et al., "Are Transformers Effective for Time Series
Forecasting?" (2023): daily patterns need no more than that, and the LSTM learns the rest. All
features share the weights. Everything from the raw row on is inside the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.clock import ClockColumn
from pipeline.manifest import Part
from trainer.blocks import SegmentEncoder
from trainer.forecast.bands import Bands
from trainer.forecast.window import Window
from trainer.step_module import StepModule, pack, unpack

INPUT_LIMIT = 30.0  # the LSTM sees nothing beyond this many scales: a spike must not flood it
LEAST_SPREAD = 0.05  # of a feature's scale: a window that hardly moves is not blown up further
CYCLES_S: dict[ClockColumn, float] = {"day": 86_400.0, "week": 604_800.0, "year": 31_557_600.0}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model is made of; all but ``interval_s`` are counts or rows.

    ``targets`` are positions among the features; the others are read beside every target.
    ``horizons`` count sampling steps, ascending. ``calendar`` are the cycles that the model knows
    the time in. ``standardise``: windows are divided by their own standard deviation, not only
    taken relative to their last value.
    """

    features: int
    targets: tuple[int, ...]
    horizons: tuple[int, ...]
    quantiles: tuple[float, ...]
    interval_s: float
    look_back: int = 96
    segment: int = 24
    hidden: int = 128
    dropout: float = 0.2
    calendar: tuple[ClockColumn, ...] = ()
    standardise: bool = False

    @property
    def covariates(self) -> tuple[int, ...]:
        """The features that are no targets."""
        return tuple(at for at in range(self.features) if at not in self.targets)

    @property
    def clock(self) -> tuple[ClockColumn, ...]:
        """The columns that the runtime appends to a row."""
        return ("elapsed_s", *self.calendar)


class SegmentForecaster(StepModule):
    """From each new row the quantiles of every horizon and target.

    State: the look-back window of every feature on the grid of the sampling step, and where in a
    step the last row lay. Output ``forecast`` (H, T, Q) in the rows' own units, finite, and
    non-decreasing along Q.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        targets, hidden = len(shape.targets), shape.hidden
        self.window = Window(shape.features, shape.look_back, shape.interval_s)
        inputs = 1 + len(shape.covariates)
        self.encoder = SegmentEncoder(inputs, hidden, shape.look_back, shape.segment, "encoder")
        segments = -(-shape.horizons[-1] // shape.segment)
        self.bands = Bands(shape.quantiles, targets, segments, shape.segment)
        self.place = nn.Parameter(torch.randn(segments, hidden // 2) * 0.5)
        self.channel = nn.Parameter(torch.randn(targets, hidden - hidden // 2) * 0.5)
        self.from_time = nn.Linear(2 * len(shape.calendar), hidden) if shape.calendar else None
        self.past_lstm = nn.Linear(shape.look_back, segments * shape.segment, bias=False)
        nn.init.zeros_(self.past_lstm.weight)
        self.to_segment = nn.Linear(hidden, shape.segment * len(shape.quantiles))
        nn.init.normal_(self.to_segment.weight, std=0.02)
        nn.init.zeros_(self.to_segment.bias)
        self.register_buffer("centre", torch.zeros(shape.features))
        self.register_buffer("scale", torch.ones(shape.features))
        self.state_parts = self.window.parts
        self.output_parts = (
            Part(name="forecast", shape=(len(shape.horizons), targets, len(shape.quantiles))),
        )

    def set_normaliser(self, centre: Tensor, scale: Tensor) -> None:
        """What training found as each feature's middle and spread, both [F]."""
        self.centre.copy_(centre)
        self.scale.copy_(scale)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """``x [B, F + C]`` → the forecast made after that row [B, H·T·Q], the window after."""
        rows, after = self.window.push(x, unpack(state, self.state_parts), self.centre)
        y = self._forecast(rows, x[:, self.shape.features + 1 :], stepwise=True)
        return y, pack(list(after))

    def forward(self, sequence: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, N, F + C]`` → the forecasts [B, N, H·T·Q], the window after the last row."""
        parts, found = unpack(state, self.state_parts), []
        for x in sequence.unbind(1):  # only the window runs row by row: nothing of it is learnt
            rows, parts = self.window.push(x, parts, self.centre)
            found.append(rows)
        windows = torch.stack(found, dim=1).flatten(0, 1)
        clock = sequence[:, :, self.shape.features + 1 :].flatten(0, 1)
        y = self._forecast(windows, clock, stepwise=False)
        return y.reshape(*sequence.shape[:2], -1), pack(list(parts))

    def normalised(self, rows: Tensor) -> Tensor:
        """Rows [..., F] in the scales of the training data."""
        return (rows - self.centre) / self.scale

    def predict(self, windows: Tensor, clock: Tensor, segments: Sequence[int]) -> Tensor:
        """What training fits: normalised quantiles [N, T, S·len(segments), Q], ascending in Q.

        ``windows [N, W, F]`` are normalised rows, ``clock [N, len(calendar)]`` the fractions at
        their last row, and ``segments`` the segments of the future wanted, of S steps each.
        """
        return self._predict(windows, clock, segments, stepwise=False)

    def _forecast(self, rows: Tensor, clock: Tensor, *, stepwise: bool) -> Tensor:
        """From windows of raw rows [N, W, F] to rows of y."""
        shape = self.shape
        wanted = [horizon - 1 for horizon in shape.horizons]
        segments = sorted({at // shape.segment for at in wanted})
        made = self._predict(self.normalised(rows), clock, segments, stepwise=stepwise)
        places = [
            segments.index(at // shape.segment) * shape.segment + at % shape.segment
            for at in wanted
        ]
        if places != list(range(made.shape[2])):
            made = made[:, :, places]
        targets = list(shape.targets)
        scale, centre = (part[targets].reshape(-1, 1, 1) for part in (self.scale, self.centre))
        units = made * scale + centre
        return units.transpose(1, 2).flatten(1)

    def _predict(
        self, windows: Tensor, clock: Tensor, segments: Sequence[int], *, stepwise: bool
    ) -> Tensor:
        channels, level, spread = self._relative(windows)
        encode = self.encoder.encode_stepwise if stepwise else self.encoder.encode
        h, c = encode(channels.flatten(0, 1))
        made = self._decode(h, c, clock, segments)
        quantiles = self.bands.quantiles_of(made, segments)
        maps = self.past_lstm.weight.reshape(-1, self.shape.segment, self.shape.look_back)
        linear = channels[..., 0] @ maps[list(segments)].flatten(0, 1).T
        return (quantiles + linear.unsqueeze(3)) * spread[..., None, None] + level[..., None, None]

    def _relative(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each target's window beside the covariates [N, T, W, 1 + K], its level and spread [N, T].

        Reversible normalisation by window (Kim et al. 2022), by the last value or also the spread.
        """
        level = windows[:, -1:]
        relative = (windows - level).clamp(-INPUT_LIMIT, INPUT_LIMIT)
        if self.shape.standardise:
            level = windows.mean(dim=1, keepdim=True)
            relative = (windows - level).clamp(-INPUT_LIMIT, INPUT_LIMIT)
            variance = relative.square().mean(dim=1, keepdim=True)
            spread = (variance + LEAST_SPREAD**2).sqrt()
            relative = relative / spread
        else:
            spread = torch.ones_like(level)
        targets, covariates = list(self.shape.targets), list(self.shape.covariates)
        channels = relative.transpose(1, 2)[:, targets].unsqueeze(3)
        if covariates:
            beside = relative[:, :, covariates].unsqueeze(1)
            channels = torch.cat([channels, beside.expand(-1, len(targets), -1, -1)], dim=3)
        return channels, level[:, 0, targets], spread[:, 0, targets]

    def _decode(self, h: Tensor, c: Tensor, clock: Tensor, segments: Sequence[int]) -> Tensor:
        """The encoder's last h and c [N·T, H] → raw outputs [N, T, segments, S·Q]."""
        cell, targets = self.encoder.cell, len(self.shape.targets)
        hidden = self.shape.hidden
        place = self.place[list(segments)]
        inputs = torch.cat(
            [
                place.expand(targets, -1, -1),
                self.channel.unsqueeze(1).expand(-1, len(segments), -1),
            ],
            dim=2,
        )
        # The step's one matrix product falls apart: h is the same for all segments of the future,
        # and their embeddings are the same for all windows.
        of_input, of_state = cell.gates.weight[:, :hidden], cell.gates.weight[:, hidden:]
        gates = (inputs @ of_input.T).unsqueeze(0)
        gates = gates + (h @ of_state.T + cell.gates.bias).reshape(-1, targets, 1, 4 * hidden)
        if self.from_time is not None:
            embedded = self.from_time(self._time_of(clock, segments)) @ of_input.T
            gates = gates + embedded.unsqueeze(1)
        above, _ = cell.apply_gates(gates, c.reshape(-1, targets, 1, hidden))
        made: Tensor = self.to_segment(torch.dropout(above, self.shape.dropout, self.training))
        return made

    def _time_of(self, clock: Tensor, segments: Sequence[int]) -> Tensor:
        """Where in each cycle each segment's middle lies, as sine and cosine [N, segments, 2·C]."""
        shape = self.shape
        middle = torch.tensor([(at + 0.5) * shape.segment for at in segments]) * shape.interval_s
        cycles = torch.tensor([CYCLES_S[name] for name in shape.calendar])
        ahead = torch.remainder(middle[:, None] / cycles, 1.0)
        angle = 2.0 * torch.pi * (clock.unsqueeze(1) + ahead)
        return torch.cat([angle.sin(), angle.cos()], dim=2)
