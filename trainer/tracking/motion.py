"""What every motion model is, and constant velocity, the simplest.

A stream is a track and a row its box in a frame, or that there was none. Positions and velocities
are in pixels, but everything that is learnt or assumed is in heights of the box, so that a person
far away moves by the same rules as one close by. Velocities are per second: frames may be dropped.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.manifest import Feature, Part
from trainer.step_module import StepModule, pack, unpack

FEATURES = (
    Feature(name="cx", unit="px"),
    Feature(name="cy", unit="px"),
    Feature(name="width", unit="px"),
    Feature(name="height", unit="px"),
    Feature(name="seen"),
    Feature(name="interval", unit="s"),
)
OUTPUTS = (
    Part(name="box", shape=(4,)),
    Part(name="next", shape=(4,)),
    Part(name="sd", shape=(4,)),
)
SHORTEST_S, LONGEST_S = 1e-3, 10.0  # intervals beyond are taken for these
LEAST_HEIGHT = 1e-3  # px: what is divided by is never 0
LEAST_SHARE = 0.5  # a size shrinks by no more from one row to the next


@dataclass(frozen=True, slots=True)
class Row:
    """A row's parts: ``box [B, 4]`` (centre, width, height), ``seen`` and ``interval [B, 1]``."""

    box: Tensor
    seen: Tensor
    interval: Tensor


@dataclass(frozen=True, slots=True)
class Kinematics:
    """Where a box is and how it moves: ``box [B, 4]`` in px, ``velocity [B, 4]`` in px/s."""

    box: Tensor
    velocity: Tensor

    @property
    def height(self) -> Tensor:
        """What is one height [B, 1], in px."""
        return self.box[:, 3:].clamp(min=LEAST_HEIGHT)

    def after(self, interval: Tensor) -> Tensor:
        """The box [B, 4] after ``interval`` seconds [B, 1] more of the same motion."""
        moved = self.box + self.velocity * interval
        sizes = torch.maximum(moved[:, 2:], LEAST_SHARE * self.box[:, 2:])
        return torch.cat([moved[:, :2], sizes], dim=1)


class Motion(StepModule):
    """A track's box, predicted.

    State: whether there is a track yet, its box and velocity, and what the model adds
    (``memory``). Outputs, each centre x and y, width and height in pixels:

    - ``box``: where the box is now;
    - ``next``: where it will be one interval later;
    - ``sd``: by how much (standard deviation) the box that is then detected will be off ``next``.

    A row that is not seen leaves the track where it was expected to be. The sizes then stay: their
    velocity is little more than the detector's noise, and would shrink people to nothing.
    """

    def __init__(self, memory: tuple[Part, ...]) -> None:
        super().__init__()
        self.state_parts = (
            Part(name="known"),
            Part(name="box", shape=(4,)),
            Part(name="velocity", shape=(4,)),
            *memory,
        )
        self.output_parts = OUTPUTS

    @abstractmethod
    def advance(
        self, row: Row, known: Tensor, before: Kinematics, memory: list[Tensor]
    ) -> tuple[Kinematics, Tensor, list[Tensor]]:
        """What a row makes of a track: its kinematics, the next box's sd [B, 4] in px, its memory.

        ``known [B, 1]`` is false for a track's first row, before which ``before`` and ``memory``
        hold zeros.
        """

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One row of each track; see the class for what ``y [B, 12]`` holds."""
        known, box, velocity, *memory = unpack(state, self.state_parts)
        at, seen, interval = torch.split(x, [4, 1, 1], dim=1)
        row = Row(at, seen, interval.clamp(SHORTEST_S, LONGEST_S))
        now, sd, memory = self.advance(row, known > 0.5, Kinematics(box, velocity), memory)
        velocity = torch.cat([now.velocity[:, :2], row.seen * now.velocity[:, 2:]], dim=1)
        ahead = Kinematics(now.box, velocity).after(row.interval)
        return pack([now.box, ahead, sd]), pack(
            [torch.ones_like(known), now.box, velocity, *memory]
        )

    def forward(self, sequence: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """All rows of each track, step by step: each prediction is what the next starts from."""
        outputs = []
        for x in sequence.unbind(1):
            y, state = self.step(x, state)
            outputs.append(y)
        return torch.stack(outputs, dim=1), state


class ConstantVelocity(Motion):
    """An alpha-beta filter: nothing is learnt, and no noise is modelled.

    Its gains are those of a line fitted to all boxes so far (the expanding-memory filter) until
    they have fallen to ``alpha`` and ``beta``. Two boxes make no velocity to rely on, so the fit
    counts ``COUNTED`` rows more, in which the track stood still.
    """

    COUNTED = 2.0
    SD, SD_AT_FIRST, SD_PER_S = 0.06, 0.12, 0.8  # heights: always, after one box, while unseen

    gains: Tensor

    def __init__(self) -> None:
        super().__init__((Part(name="boxes"), Part(name="unseen_s")))
        alpha = torch.tensor([0.5, 0.5, 0.3, 0.3])
        # The beta that follows a steady acceleration best (Benedict & Bordner 1962).
        self.register_buffer("gains", torch.stack([alpha, alpha.square() / (2.0 - alpha)]))

    def advance(
        self, row: Row, known: Tensor, before: Kinematics, memory: list[Tensor]
    ) -> tuple[Kinematics, Tensor, list[Tensor]]:
        """See ``Motion``."""
        boxes, unseen_s = memory
        boxes = boxes + row.seen
        unseen_s = (unseen_s + row.interval) * (1.0 - row.seen)
        fitted = boxes + self.COUNTED
        products = fitted * (fitted + 1.0)
        alpha = torch.maximum(self.gains[0], 2.0 * (2.0 * fitted - 1.0) / products)
        beta = torch.maximum(self.gains[1], 6.0 / products)
        expected = before.after(row.interval)
        off = row.seen * (row.box - expected)
        now = Kinematics(
            torch.where(known, expected + alpha * off, row.box),
            before.velocity + torch.where(known, beta * off / row.interval, 0.0),
        )
        spread = self.SD + self.SD_AT_FIRST / boxes.clamp(min=1.0) + self.SD_PER_S * unseen_s
        return now, (spread * now.height).expand(-1, 4), [boxes, unseen_s]
