"""Train a detector on pictures whose boxes are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.block import Bool, Float32
from trainer.detector.model import STRIDE, PointDetector
from trainer.fit import FitSettings, Progress, Silent, fit_module

BATCH = 8
SIZE_WEIGHT = 0.1
LEAST_SPREAD = 0.8  # of a centre's bump, in places


@dataclass(frozen=True, slots=True)
class Example:
    """A picture ``[H, W, 3]`` (blue, green, red) and the boxes ``[K, 4]`` in it.

    Boxes are left, top, width, height; those that are not ``clear`` [K] (hidden for the most part)
    are neither to be found nor a mistake where found.
    """

    picture: npt.NDArray[np.uint8]
    boxes: Float32
    clear: Bool


@dataclass(frozen=True, slots=True)
class _Targets:
    bumps: Tensor  # [h, w], 1 at the centre of each thing, falling around it
    counted: Tensor  # [h, w], whether the place's score is taught
    centres: Tensor  # [N, 2], rows and columns of places that have a box
    boxes: Tensor  # [N, 4]


def fit(
    examples: Sequence[Example],
    held: Sequence[Example],
    *,
    workdir: Path,
    epochs: int = 12,
    seed: int = 0,
    progress: Progress | None = None,
) -> PointDetector:
    """The detector with the lowest loss on ``held``, in eval mode; pictures are of one size."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = PointDetector()
    targets = [_targets(example) for example in examples]
    watched = [_targets(example) for example in held]

    def losses(generator: torch.Generator) -> Iterator[Tensor]:
        order = torch.randperm(len(examples), generator=generator).tolist()
        for first in range(0, len(order), BATCH):
            some = order[first : first + BATCH]
            pictures = _pictures([examples[at] for at in some])
            light = 0.7 + 0.6 * torch.rand(len(some), 3, 1, 1, generator=generator)
            yield _loss(model, (pictures * light).clamp(0, 1), [targets[at] for at in some])

    def validate() -> float:
        parts = [
            _loss(model, _pictures(held[at : at + BATCH]), watched[at : at + BATCH]).item()
            for at in range(0, len(held), BATCH)
        ]
        return float(np.mean(parts))

    fit_module(
        model,
        losses=losses,
        validate=validate,
        settings=FitSettings(epochs, epochs, 4e-3, warm_up=1, clip_norm=5.0, seed=seed),
        workdir=workdir,
        identity="",
        progress=progress or Silent(),
    )
    return model


def _pictures(examples: Sequence[Example]) -> Tensor:
    """As the model takes them."""
    stacked = np.stack([example.picture[..., ::-1] for example in examples])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 255


def _targets(example: Example) -> _Targets:
    height, width = (size // STRIDE for size in example.picture.shape[:2])
    rows, columns = np.mgrid[:height, :width] + 0.5
    bumps, counted = np.zeros((2, height, width), np.float32)
    counted += 1
    centres, boxes = [], []
    for box, clear in zip(example.boxes, example.clear, strict=True):
        middle = (box[:2] + box[2:] / 2) / STRIDE
        spread = np.maximum(box[2:] / STRIDE / 6, LEAST_SPREAD)
        far = ((columns - middle[0]) / spread[0]) ** 2 + ((rows - middle[1]) / spread[1]) ** 2
        at = min(int(middle[1]), height - 1), min(int(middle[0]), width - 1)
        if clear:
            np.maximum(bumps, np.exp(-far / 2), out=bumps)
            bumps[at] = 1
            centres.append(at)
            boxes.append([*(box[:2] + box[2:] / 2), *box[2:]])
        else:
            counted[far < 4] = 0
    counted[bumps > 0.3] = 1
    return _Targets(
        torch.from_numpy(bumps),
        torch.from_numpy(counted),
        torch.tensor(centres, dtype=torch.long).reshape(-1, 2),
        torch.tensor(np.array(boxes, np.float32).reshape(-1, 4)),
    )


def _loss(model: PointDetector, pictures: Tensor, targets: Sequence[_Targets]) -> Tensor:
    """The paper's focal loss of the scores, and how far the boxes at the centres are off."""
    boxes, logits = model.maps(pictures)
    bumps = torch.stack([one.bumps for one in targets])
    counted = torch.stack([one.counted for one in targets])
    scores, at_centre = torch.sigmoid(logits), bumps == 1
    hit = (1 - scores) ** 2 * F.logsigmoid(logits) * at_centre
    missed = (1 - bumps) ** 4 * scores**2 * F.logsigmoid(-logits) * ~at_centre
    count = max(1, sum(len(one.boxes) for one in targets))
    focal = -((hit + missed) * counted).sum() / count
    found = [boxes[at][:, one.centres[:, 0], one.centres[:, 1]] for at, one in enumerate(targets)]
    given, true = torch.cat(found, dim=1).T, torch.cat([one.boxes for one in targets])
    where = (given[:, :2] - true[:, :2]).abs() / STRIDE
    size = 10 * (given[:, 2:].log() - true[:, 2:].log()).abs()
    return focal + SIZE_WEIGHT * (where.sum() + size.sum()) / count
