"""The LSTM that corrects constant velocity."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.blocks import lstm_stack
from trainer.tracking.kalman import COVARIANCE, KalmanFilter
from trainer.tracking.motion import LEAST_HEIGHT, Kinematics, Motion, Row

INPUTS = 4 + 4 + 4 + 4  # what was off, velocity, what is unsure, and what is told of the row
INPUT_LIMIT = 8.0  # the LSTM sees nothing beyond: one wild box must not flood it
PUSH_LIMIT = 4.0  # heights a second: it changes no velocity by more in one row
SD_LIMIT = 3.0  # nor the standard deviation by more than this power of e


class LstmMotion(Motion):
    """Constant velocity and what an LSTM makes of it: a residual, and how sure it is.

    Below is a Kalman filter, whose gains (that is: whose noise) are learnt too. After each row the
    LSTM sees, in heights of the box, by how much the prediction was off, and pushes: it adds to
    the velocity and widens or narrows the standard deviation. While nothing is seen the track goes
    on from its own prediction, pushed on. Before training the pushes are 0.
    """

    def __init__(self, hidden: int, layers: int = 1) -> None:
        lstm = lstm_stack(INPUTS, hidden, layers)
        super().__init__((*COVARIANCE, *lstm.parts))
        self.filter = KalmanFilter()
        self.lstm = lstm
        self.to_push = nn.Linear(hidden, 8)
        nn.init.zeros_(self.to_push.weight)
        nn.init.zeros_(self.to_push.bias)

    def advance(
        self, row: Row, known: Tensor, before: Kinematics, memory: list[Tensor]
    ) -> tuple[Kinematics, Tensor, list[Tensor]]:
        """See ``Motion``."""
        box, both, velocity, *state = memory
        now, after, off = self.filter.update(row, known, before, (box, both, velocity))
        sd = self.filter.sd(after, row.interval)
        height = now.height
        told = [
            row.seen,
            known.to(row.seen.dtype),
            row.interval.log(),
            (now.box[:, 2:3].clamp(min=LEAST_HEIGHT) / height).log(),
        ]
        inputs = torch.cat([off / height / sd, now.velocity / height, sd.log(), *told], dim=1)
        h, state_after = self.lstm.step(inputs.clamp(-INPUT_LIMIT, INPUT_LIMIT), tuple(state))
        push, width = self.to_push(h).split(4, dim=1)
        push = PUSH_LIMIT * torch.tanh(push / PUSH_LIMIT) * height
        sd = sd * (SD_LIMIT * torch.tanh(width / SD_LIMIT)).exp()
        return Kinematics(now.box, now.velocity + push), sd * height, [*after, *state_after]
