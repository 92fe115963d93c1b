"""A trained detector as an ONNX file, for `[pipeline.detector]` and any other runtime."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch

from export.graph import quiet, strip
from pipeline.errors import BundleError
from trainer.detector.model import PointDetector


def export_detector(model: PointDetector, size: tuple[int, int], path: Path) -> None:
    """Write ``model`` for pictures of ``size`` (width, height), any number of them at once.

    Raises BundleError where torch can't export it or the file can't be written.
    """
    with quiet():
        program = torch.onnx.export(
            model.eval(),
            (torch.zeros(2, 3, size[1], size[0]),),
            dynamo=True,
            input_names=["images"],
            output_names=["output0"],
            dynamic_shapes=({0: "batch"},),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise BundleError(f"{type(model).__name__} can't be exported to ONNX")
    graph: onnx.ModelProto = program.model_proto
    strip(graph)
    graph.graph.name = "detector"
    try:
        path.write_bytes(graph.SerializeToString(deterministic=True))
    except OSError as error:
        raise BundleError(f"{path}: can't write the detector: {error.strerror}") from error
