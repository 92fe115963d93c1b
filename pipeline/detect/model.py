"""An ONNX model that takes pictures: one session, as many pictures a run as it allows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from pipeline.block import Float32
from pipeline.engines.session import Device, device_session, run
from pipeline.errors import EngineError

log = structlog.get_logger(__name__)

Array = npt.NDArray[Any]

MAX_BYTES = 1 << 30
USUAL_SIZE = (640, 640)  # where the graph leaves its picture's height and width open
AT_ONCE = 32  # pictures in one run at most: more take memory and no less time
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class PictureModel:
    """A graph with an input ``[B, 3, H, W]``, and perhaps one ``[B, 2]`` of the pictures' sizes.

    ``size`` is (H, W), ``outputs`` are the outputs' names, ``batch`` how many pictures one run
    takes: any number up to ``AT_ONCE`` where it is 0. Raises EngineError for a file that is no
    such model, and for a device that is not there.
    """

    def __init__(self, path: Path, device: Device, threads: int) -> None:
        self.path, self.device = path, device
        self._session, self.name = device_session(_read(path), str(path), device, threads)
        self.outputs = [node.name for node in self._session.get_outputs()]
        inputs = self._session.get_inputs()
        pictures, *others = inputs
        shape = pictures.shape
        if (
            len(shape) != 4
            or shape[1] != 3
            or pictures.type not in TYPES
            or len(others) > 1
            or any(one.type != "tensor(int64)" or len(one.shape) != 2 for one in others)
        ):
            found = "; ".join(f"{one.name} {_shown(one.shape)} {one.type}" for one in inputs)
            raise EngineError(
                f"{path}: takes {found}; a model that takes pictures has one input [B, 3, H, W] of "
                "float numbers, and perhaps the pictures' sizes [B, 2] beside it"
            )
        self._input, self._type = pictures.name, TYPES[pictures.type]
        self._sizes: str | None = others[0].name if others else None
        height, width = (
            given if isinstance(given, int) else usual
            for given, usual in zip(shape[2:], USUAL_SIZE, strict=True)
        )
        self.size: tuple[int, int] = (height, width)
        self.batch: int = shape[0] if isinstance(shape[0], int) else 0

    def probe(self) -> list[Array]:
        """One run of grey pictures: what comes out, and whether several at once really work.

        A graph may say that it takes any number of pictures, and have one of them built in.
        """
        if self.batch == 0:
            try:
                outputs = self._run(self._grey(2))
            except EngineError:
                outputs = []
            if outputs and all(len(one) == 2 for one in outputs if one.ndim > 2):
                return outputs
            self.batch = 1
        if self.batch == 1:
            log.info("the model takes one picture at a time", model=str(self.path))
        return self._run(self._grey(self.batch))

    @property
    def most(self) -> int:
        """How many pictures one run takes at most."""
        return self.batch or AT_ONCE

    def run(self, pictures: Float32) -> list[Array]:
        """The outputs for ``pictures [N, 3, H, W]``, at most ``most`` of them.

        Where the graph's batch is fixed the rest of it is filled up with black pictures.
        """
        if len(pictures) < self.batch:
            blank = np.zeros((self.batch - len(pictures), *pictures.shape[1:]), np.float32)
            pictures = np.concatenate([pictures, blank])
        return self._run(pictures)

    def _grey(self, count: int) -> Float32:
        return np.full((count, 3, *self.size), 0.5, np.float32)

    def _run(self, pictures: Float32) -> list[Array]:
        feeds: dict[str, Array] = {self._input: pictures.astype(self._type, copy=False)}
        if self._sizes is not None:  # then boxes come in the input's own pixels
            feeds[self._sizes] = np.tile(np.array(self.size[::-1], np.int64), (len(pictures), 1))
        try:
            return run(self._session, self.outputs, feeds, self.device)
        except EngineError as error:
            raise EngineError(f"{self.path}: {error}") from error


def _shown(shape: Sequence[object]) -> str:
    return "[" + ", ".join(str(number) for number in shape) + "]"


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise EngineError(f"{path}: larger than {MAX_BYTES} bytes, which no detector is")
        return path.read_bytes()
    except OSError as error:
        raise EngineError(f"{path}: can't read the model: {error.strerror}") from error
