"""Things as points: each place of the picture says whether a thing's centre lies there.

The form is that of Zhou, Wang and Krähenbühl, "Objects as Points" (2019), with a few thousand
weights in place of millions: it serves where all pictures are of one kind.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 4  # pixels between two places
RARE = 0.02  # the share of places that hold a centre, to begin with
USUAL_PX = (16.0, 48.0)  # a box's width and height, to begin with


class PointDetector(nn.Module):
    """Pictures ``[B, 3, H, W]`` (red, green, blue; 0 to 1) → ``[B, 5, H/4 W/4]``.

    H and W are multiples of 8. The five are centre x, centre y, width, height in pixels and the
    score, the layout that detectors of the YOLOv8 family put out. Only places whose score is the
    highest around them have one: near doubles are suppressed in the graph.
    """

    def __init__(self, channels: tuple[int, int, int, int] = (12, 24, 32, 40)) -> None:
        super().__init__()
        first, second, third, fourth = channels
        self.fine = nn.Sequential(_layer(3, first, stride=2), _layer(first, second, stride=2))
        self.coarse = nn.Sequential(
            _layer(second, third, stride=2),
            _layer(third, fourth),
            _layer(fourth, fourth, dilation=2),
            _layer(fourth, fourth, dilation=3),
        )
        self.from_coarse = nn.Conv2d(fourth, second, 1)
        self.joined = _layer(second, second)
        self.heads = nn.Conv2d(second, 5, 1)
        nn.init.zeros_(self.heads.weight)
        if self.heads.bias is not None:
            self.heads.bias.data = torch.logit(torch.tensor([0.5, 0.5, 0.5, 0.5, RARE]))

    def maps(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The boxes ``[B, 4, h, w]`` of all places, and their scores' logits ``[B, h, w]``."""
        fine = self.fine(pictures)
        coarse = self.from_coarse(self.coarse(fine))
        found = self.heads(self.joined(fine + F.interpolate(coarse, scale_factor=2.0)))
        rows = torch.arange(found.shape[2], dtype=found.dtype)[:, None] + 0.5
        columns = torch.arange(found.shape[3], dtype=found.dtype) + 0.5
        boxes = torch.stack(
            [
                STRIDE * (columns + found[:, 0]),
                STRIDE * (rows + found[:, 1]),
                USUAL_PX[0] * torch.exp(found[:, 2].clamp(-3, 3)),
                USUAL_PX[1] * torch.exp(found[:, 3].clamp(-3, 3)),
            ],
            dim=1,
        )
        return boxes, found[:, 4]

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        boxes, logits = self.maps(pictures)
        scores = torch.sigmoid(logits)[:, None]
        peaks = scores * (scores == F.max_pool2d(scores, 3, 1, 1)).to(scores.dtype)
        return torch.cat([boxes, peaks], dim=1).flatten(2)


def _layer(taken: int, made: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(taken, made, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(made),
        nn.ReLU(),
    )
