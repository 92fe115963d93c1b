"""A detector that is an ONNX model: pictures of all cameras in one run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import structlog

from pipeline.detect.adapters import SHAPES, Adapter, Candidates, Layout, layout_of, make_adapter
from pipeline.detect.base import Detections, Picture
from pipeline.detect.letterbox import Colours, Letterbox, Place
from pipeline.detect.model import Array, PictureModel
from pipeline.detect.nms import suppress
from pipeline.engines.session import Device
from pipeline.errors import EngineError

log = structlog.get_logger(__name__)

FARTHEST = 1e6  # pixels: what is farther off is no box

# How the models of a layout are trained to get their pictures.
PICTURES: dict[Layout, tuple[Place, Colours]] = {
    "yolox": ("corner", "bgr255"),
    "yolov5": ("centre", "rgb1"),
    "yolov8": ("centre", "rgb1"),
    "boxes": ("centre", "rgb1"),
    "detr": ("stretch", "rgb1"),
}


class OnnxDetector:
    """Runs the model at ``path``; ``layout`` and ``colours`` of None go by its outputs.

    Boxes of other ``classes``, below ``min_score``, without a size or not finite are left out; of
    those that overlap by more than ``overlap`` the surest is kept. Opening it runs it once, so
    that a model whose outputs fit no layout is found at once. Raises EngineError.
    """

    appearance = 0

    def __init__(
        self,
        path: Path,
        *,
        layout: Layout | None = None,
        colours: Colours | None = None,
        classes: Collection[int] = (0,),
        min_score: float = 0.1,
        overlap: float = 0.6,
        device: Device = "cpu",
        threads: int = 1,
    ) -> None:
        self._model = PictureModel(path, device, threads)
        self.name = self._model.name
        self.device: str = device
        self.layout, self._read = _adapter(self._model, layout)
        place, usual = PICTURES[self.layout]
        self._letterbox = Letterbox(self._model.size, place, colours or usual)
        self._classes = np.array(sorted(classes), np.int64)
        self._min_score, self._overlap = min_score, overlap
        log.info(
            "detector opened",
            model=str(path),
            layout=self.layout,
            input=self._model.size,
            batch=self._model.batch or "any",
        )

    def detect(
        self,
        pictures: Sequence[Picture],
        cameras: Sequence[str],  # noqa: ARG002  # the contract's
    ) -> list[Detections]:
        """The boxes of each picture."""
        most = self._model.most
        parts = [pictures[start : start + most] for start in range(0, len(pictures), most)]
        return [found for part in parts for found in self._batch(part)]

    def close(self) -> None:
        """Nothing to release by hand: the session goes with the object."""

    def _batch(self, pictures: Sequence[Picture]) -> list[Detections]:
        """The boxes of as many pictures as one run takes."""
        cells = np.empty((len(pictures), 3, *self._model.size), np.float32)
        placed = [self._letterbox.fill(*pair) for pair in zip(pictures, cells, strict=True)]
        outputs = self._model.run(cells)
        with np.errstate(over="ignore", invalid="ignore"):  # what is no box is dropped here
            candidates = self._usable(self._read(outputs, self._min_score))
        found = []
        for at, place in enumerate(placed):
            one = candidates.rows(candidates.picture == at)
            kept = one.rows(suppress(one.corners, one.scores, one.classes, self._overlap))
            nothing = np.zeros((len(kept.scores), 0), np.float32)
            found.append(Detections(place.back(kept.corners), kept.scores, nothing))
        return found

    def _usable(self, found: Candidates) -> Candidates:
        """Without other classes, and without boxes that are none."""
        corners = found.corners
        good = (np.abs(corners) <= FARTHEST).all(axis=1)  # false for NaN
        good &= np.isfinite(found.scores) & np.isin(found.classes, self._classes)
        good &= (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
        return found.rows(good)


def _adapter(model: PictureModel, wanted: Layout | None) -> tuple[Layout, Adapter]:
    """The layout of the model's outputs, and what reads it; raises EngineError for none."""
    outputs = model.probe()
    layout = wanted or layout_of(outputs, model.size)
    adapter = make_adapter(layout, outputs, model.size) if layout is not None else None
    if layout is None or adapter is None:
        known = "; ".join(f"{name}: {shape}" for name, shape in SHAPES.items())
        fits = f"do not fit layout {wanted!r}" if wanted else "fit no layout"
        raise EngineError(
            f"{model.path}: its outputs {_shown(model.outputs, outputs)} for an input of "
            f"{model.size[0]}x{model.size[1]} {fits}; known are {known}"
        )
    return layout, adapter


def _shown(names: Sequence[str], outputs: Sequence[Array]) -> str:
    return ", ".join(
        f"{name} {list(output.shape)}" for name, output in zip(names, outputs, strict=True)
    )
