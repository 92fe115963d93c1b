"""The anomaly model: an LSTM forecasts the next row, the next row's residual is the evidence.

Forecast-error detection with LSTMs follows Malhotra et al., "Long Short Term Memory Networks for
Anomaly Detection in Time Series" (ESANN 2015). Everything up to the error is inside the graph.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.manifest import Part
from trainer.blocks import State, lstm_stack
from trainer.step_module import StepModule, pack, unpack

INPUT_LIMIT = 8.0  # the LSTM sees no input beyond this many scales: a spike must not flood it
OFFSET_LIMIT = 4.0  # nor does one row pull the running offset by more
RESIDUAL_LIMIT = 1e6  # keeps the error of an absurd reading finite, so that it is reported


def output_parts(features: int) -> tuple[Part, ...]:
    """What a row of y holds."""
    return (
        Part(name="error", shape=(1,)),
        Part(name="contribution", shape=(features,)),
        Part(name="forecast", shape=(features,)),
    )


class AnomalyForecaster(StepModule):
    """Causal one-step forecaster of F features.

    State: the forecast made for the row to come, each feature's running offset and the number of
    rows behind it, the LSTM's h and c. Outputs:

    - ``contribution``: each feature's surprise, the negative log-likelihood (in nats, 0 at the
      forecast itself) of its whitened residual under a Student-t distribution, with the sign of
      the residual;
    - ``error``: the size of the largest contribution;
    - ``forecast``: what was expected of this row, in the row's own units.

    A stream's first row was not expected to be anything: its error is 0, its forecast itself.

    ``offset_rows`` is the memory of the running offset, by which a stream that lies higher or
    lower than those of the training looks like them to the LSTM.
    """

    centre: Tensor
    scale: Tensor
    whitening: Tensor
    freedom: Tensor

    def __init__(self, features: int, hidden: int, layers: int, offset_rows: int) -> None:
        super().__init__()
        self.features = features
        self.offset_rows = float(offset_rows)
        self.lstm = lstm_stack(features, hidden, layers)
        self.to_change = torch.nn.Linear(hidden + features, features)
        # Before training the forecast is persistence: the next row is like this one.
        torch.nn.init.zeros_(self.to_change.weight)
        torch.nn.init.zeros_(self.to_change.bias)
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("whitening", torch.eye(features))
        self.register_buffer("freedom", torch.full((features,), 4.0))
        self.state_parts = (
            Part(name="forecast", shape=(features,)),
            Part(name="offset", shape=(features,)),
            Part(name="rows"),
            *self.lstm.parts,
        )
        self.output_parts = output_parts(features)

    def set_normaliser(self, centre: Tensor, scale: Tensor) -> None:
        """What training found as each feature's middle and spread, both [F]."""
        self.centre.copy_(centre)
        self.scale.copy_(scale)

    def set_residuals(self, whitening: Tensor, freedom: Tensor) -> None:
        """The residuals' whitening matrix [F, F] and degrees of freedom [F]."""
        self.whitening.copy_(whitening)
        self.freedom.copy_(freedom)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One row of each stream; see the class for what ``y`` holds."""
        expected, offset, rows, *lstm = unpack(state, self.state_parts)
        u = self.normalised(x)
        y = self._judge(x, u, expected, rows.clamp(max=1.0))
        offset, rows = self._follow(u, offset, rows)
        above = self._bounded(u - offset)
        h, after = self.lstm.step(above, tuple(lstm))
        return y, pack([self._forecast(offset, above, h), offset, rows, *after])

    def forward(self, sequence: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """All rows of each stream; see the class for what ``y`` holds."""
        before, offset, rows, *lstm = unpack(state, self.state_parts)
        seen = torch.ones_like(sequence[:, :, :1])
        seen[:, 0] = rows.clamp(max=1.0)
        u = self.normalised(sequence)
        offsets, rows = self.follow(u, offset, rows)
        forecasts, after = self.forecasts(u, offsets, tuple(lstm))
        expected = torch.cat([before.unsqueeze(1), forecasts[:, :-1]], dim=1)
        flat = (part.flatten(0, 1) for part in (sequence, u, expected, seen))
        y = self._judge(*flat).reshape(*sequence.shape[:2], -1)
        return y, pack([forecasts[:, -1], offsets[:, -1], rows, *after])

    def normalised(self, x: Tensor) -> Tensor:
        """Rows [..., F] in the scales of the training data."""
        return (x - self.centre) / self.scale

    def follow(self, u: Tensor, offset: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The running offset after each of the normalised rows [B, T, F], and the last count."""
        offsets = []
        for at in range(u.shape[1]):  # nothing of it is learnt: training can do it beforehand
            offset, rows = self._follow(u[:, at], offset, rows)
            offsets.append(offset)
        return torch.stack(offsets, dim=1), rows

    def forecasts(self, u: Tensor, offsets: Tensor, lstm: State) -> tuple[Tensor, State]:
        """Normalised rows and their running offsets [B, T, F] → the forecast made after each row.

        This is what is trained: ``forecasts[:, t]`` should be ``u[:, t + 1]``.
        """
        above = self._bounded(u - offsets)
        h, after = self.lstm.forward(above, lstm)
        return self._forecast(offsets, above, h), after

    def _follow(self, u: Tensor, offset: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The running offset: the mean of the first ``offset_rows``, then an exponential one."""
        seen = rows.clamp(max=1.0)
        rows = (rows + 1.0).clamp(max=self.offset_rows)
        pull = (u - offset).clamp(-OFFSET_LIMIT, OFFSET_LIMIT)
        return u + seen * (offset + pull / rows - u), rows

    def _bounded(self, above: Tensor) -> Tensor:
        return above.clamp(-INPUT_LIMIT, INPUT_LIMIT)

    def _forecast(self, offset: Tensor, above: Tensor, h: Tensor) -> Tensor:
        change: Tensor = self.to_change(torch.cat([h, above], dim=-1))
        return offset + above + change

    def _judge(self, x: Tensor, u: Tensor, expected: Tensor, seen: Tensor) -> Tensor:
        residual = (u - expected) * seen
        white = (residual @ self.whitening).clamp(-RESIDUAL_LIMIT, RESIDUAL_LIMIT)
        tails = torch.log1p(white * white / self.freedom)
        surprise = 0.5 * (self.freedom + 1.0) * tails
        error = surprise.amax(dim=1, keepdim=True)
        forecast = x + seen * (expected * self.scale + self.centre - x)
        return pack([error, torch.sign(white) * surprise, forecast])
