"""Write a bundle: one ONNX file with its manifest, and only if it does what the model did."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import torch

from export.graph import step_graph
from export.parity import check_parity
from pipeline.block import Float32
from pipeline.bundle import read_bundle
from pipeline.clock import ClockColumn
from pipeline.errors import BundleError
from pipeline.manifest import METADATA_KEY, Audio, Feature, Manifest, state_fingerprint
from trainer.step_module import StepModule

TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Description:
    """What a manifest says that is neither in the graph nor measured by the export."""

    name: str
    task: str
    features: tuple[Feature, ...]
    sample_interval_s: float | None = None
    clock: tuple[ClockColumn, ...] = ()
    audio: Audio | None = None
    head: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


def write_bundle(
    module: StepModule,
    description: Description,
    sequences: Float32,
    path: Path,
    tolerance: float = TOLERANCE,
) -> Manifest:
    """Export ``module`` to ``path`` behind the parity gate on ``sequences [S, T, F]``.

    The file appears whole or not at all: it is written beside its place, read back and renamed.
    Raises ParityError beyond ``tolerance`` and BundleError where the module can't be exported or
    the file can't be written; a file that was there before stays as it was.
    """
    rows = torch.from_numpy(sequences[:, 0])
    model = step_graph(module, rows if len(rows) > 1 else rows.repeat(2, *[1] * (rows.ndim - 1)))
    graph = model.SerializeToString(deterministic=True)
    parity = check_parity(module, graph, sequences, tolerance, str(path))
    manifest = Manifest(
        name=description.name,
        task=description.task,
        features=description.features,
        clock=description.clock,
        audio=description.audio,
        sample_interval_s=description.sample_interval_s,
        state=module.state_parts,
        outputs=module.output_parts,
        head=dict(description.head),
        fingerprint=state_fingerprint(module.state_parts, graph),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        training=dict(description.training),
        metrics=dict(description.metrics),
        parity=parity.numbers(tolerance),
        versions=_versions(),
    )
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.to_json()})
    write_model(path, model.SerializeToString(deterministic=True))
    return manifest


def _versions() -> dict[str, str]:
    tools = ("streamcell", "torch", "onnx", "onnxruntime", "numpy")
    return {"python": platform.python_version(), **{tool: version(tool) for tool in tools}}


def write_model(path: Path, content: bytes) -> None:
    """Write ``content``, check that it reads back as a bundle, and put it in its place.

    Raises BundleError; a file that was there before stays as it was.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        read_bundle(beside)
        beside.replace(path)
    except OSError as error:
        raise BundleError(f"{path}: can't write the bundle: {error.strerror}") from error
    finally:
        with suppress(OSError):  # the error that matters is already on its way
            beside.unlink(missing_ok=True)
