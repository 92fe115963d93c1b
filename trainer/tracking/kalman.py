"""The Kalman filter of the usual trackers, written as operations of the graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.manifest import Part
from trainer.tracking.motion import Kinematics, Motion, Row

# The noise of DeepSORT (Wojke et al. 2017), which says it for frames: standard deviations of 1/20
# of the height for positions and 1/160 for velocities. Here it is for seconds, at 30 frames each.
_FRAMES = 30.0
DETECTION_SD = 1 / 20  # heights
DRIFT = (1 / 20) ** 2 * _FRAMES  # heights² a second: of the position itself
PUSH = (_FRAMES / 160) ** 2 * _FRAMES  # (heights a second)² a second: of the velocity
FIRST_SD = 10 / 160 * _FRAMES  # heights a second: of the velocity after one box

COVARIANCE = (
    Part(name="covariance.box", shape=(4,)),
    Part(name="covariance.both", shape=(4,)),
    Part(name="covariance.velocity", shape=(4,)),
)
Covariance = tuple[Tensor, Tensor, Tensor]
"""Of box and box, box and velocity, velocity and velocity; each [B, 4], in heights and seconds."""


class KalmanFilter(nn.Module):
    """A Kalman filter for each coordinate: its position and velocity, nothing between coordinates.

    The logarithms of its variances, one for each coordinate, may be fitted: of a detection, of the
    drift and the push in a second, and of a new track's velocity. Drift moves the position, a push
    the velocity (white noise acceleration).
    """

    def __init__(self) -> None:
        super().__init__()
        self.detection = _logarithm(DETECTION_SD**2)
        self.drift = _logarithm(DRIFT)
        self.push = _logarithm(PUSH)
        self.first = _logarithm(FIRST_SD**2)

    def predicted(self, before: Covariance, interval: Tensor) -> Covariance:
        """The covariance ``interval`` seconds later [B, 1]."""
        box, both, velocity = before
        push = self.push.exp() * interval
        return (
            box + interval * (2.0 * both + interval * (velocity + push / 3.0) + self.drift.exp()),
            both + interval * (velocity + push / 2.0),
            velocity + push,
        )

    def update(
        self, row: Row, known: Tensor, before: Kinematics, covariance: Covariance
    ) -> tuple[Kinematics, Covariance, Tensor]:
        """What a row makes of the kinematics and covariance; and how far off ``before`` was, in px.

        The last, [B, 4], is 0 where nothing was seen or nothing was known.
        """
        box, both, velocity = self.predicted(covariance, row.interval)
        there = row.seen * known.to(row.seen.dtype)
        expected = before.after(row.interval)
        off = there * (row.box - expected)
        share = there / (box + self.detection.exp())
        gain, turn = share * box, share * both
        now = Kinematics(
            torch.where(known, expected + gain * off, row.box),
            before.velocity + turn * off,
        )
        unsure = self.detection.exp().expand_as(box)
        after = (
            torch.where(known, box - gain * box, unsure),
            torch.where(known, both - gain * both, 0.0),
            torch.where(known, velocity - turn * both, self.first.exp()),
        )
        return now, after, off

    def sd(self, covariance: Covariance, interval: Tensor) -> Tensor:
        """By how much a detection is off what is predicted for it [B, 4], in heights."""
        box, _, _ = self.predicted(covariance, interval)
        return (box + self.detection.exp()).sqrt()


class KalmanMotion(Motion):
    """A Kalman filter of constant velocity, as in SORT (Bewley et al. 2016) and its successors.

    Its noise is in heights of the box, as in DeepSORT. Its state holds its covariance.
    """

    def __init__(self) -> None:
        super().__init__(COVARIANCE)
        self.filter = KalmanFilter()

    def advance(
        self, row: Row, known: Tensor, before: Kinematics, memory: list[Tensor]
    ) -> tuple[Kinematics, Tensor, list[Tensor]]:
        """See ``Motion``."""
        box, both, velocity = memory
        now, after, _ = self.filter.update(row, known, before, (box, both, velocity))
        return now, self.filter.sd(after, row.interval) * now.height, list(after)


def _logarithm(variance: float) -> nn.Parameter:
    return nn.Parameter(torch.full((4,), variance).log())
