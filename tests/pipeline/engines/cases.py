"""The engines and the bundles that the contract is checked on, each with each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from export.lowered import lowered_bundle
from export.precision import Lowered, Target
from export.reference import TorchEngine
from pipeline.block import Float32
from pipeline.bundle import Bundle, read_bundle
from pipeline.engines.base import Engine
from pipeline.engines.onnx import OnnxEngine
from pipeline.engines.tensorrt import TensorRtEngine
from tests import untrained
from tests.pipeline.bundles import small_bundle

MAX_ROWS = 512

# A new engine joins every test by being listed here.
ENGINES: dict[str, Callable[[Bundle], Engine]] = {
    "onnx-cpu": OnnxEngine,
    "onnx-cpu-2-threads": lambda bundle: OnnxEngine(bundle, threads=2),
    "onnx-cuda": lambda bundle: OnnxEngine(bundle, device="cuda"),
    "torch-cpu": TorchEngine,
    "torch-cuda": lambda bundle: TorchEngine(bundle, device="cuda"),
    "tensorrt": lambda bundle: TensorRtEngine(bundle, MAX_ROWS, package="tensorrt"),
    "tensorrt-rtx": lambda bundle: TensorRtEngine(bundle, MAX_ROWS, package="tensorrt_rtx"),
}
NEED_GPU = {"onnx-cuda", "torch-cuda", "tensorrt", "tensorrt-rtx"}


@dataclass(frozen=True, slots=True)
class Precision:
    """How far results may lie off, relative where a value exceeds 1.

    ``alike`` from the same rows otherwise batched, ``step`` from the reference in one step,
    ``drift`` after as many steps as ``STEPS`` says.
    """

    alike: float
    step: float
    drift: float


FP32 = Precision(alike=1e-5, step=2e-5, drift=1e-3)
FP16 = Precision(alike=2e-3, step=5e-3, drift=2e-2)
INT8 = Precision(alike=2e-2, step=0.2, drift=0.3)  # a value on the edge of two steps may round up


def _lying(content: Callable[[], bytes]) -> Callable[[Path], Path]:
    """Makes a file of it in a folder."""

    def write(folder: Path) -> Path:
        path = folder / "bundle.onnx"
        path.write_bytes(content())
        return path

    return write


# A new task's bundle joins every test by being listed here.
TASKS: dict[str, Callable[[Path], Path]] = {
    "lstm": small_bundle,
    "anomaly": _lying(untrained.anomaly),
    "forecast": _lying(untrained.forecast),
    "speech": _lying(untrained.keywords),
    "tracking": _lying(lambda: untrained.motion("lstm")),
}

# A forecaster's state is a window of rows, in which nothing builds up.
STEPS = {"test": 10_000, "anomaly": 10_000, "forecast": 500, "speech": 2000, "tracking": 2000}

# Name → the task's bundle, and what it is lowered to for which engine.
MODELS: dict[str, tuple[str, tuple[Lowered, Target] | None, Precision]] = {
    **{task: (task, None, FP32) for task in TASKS},
    "anomaly-fp16": ("anomaly", ("fp16", "onnx"), FP16),
    "anomaly-int8": ("anomaly", ("int8", "onnx"), INT8),
    "forecast-int8-for-tensorrt": ("forecast", ("int8", "tensorrt"), INT8),
}
FOR_ONNX_RUNTIME = {"anomaly-int8"}  # TensorRT has other operators for bytes


def boxes(count: int, rng: np.random.Generator) -> Float32:
    """Rows of tracks, of which one in five is not seen; in a picture of few pixels."""
    seen = rng.random((count, 1)) < 0.8
    box = rng.uniform([0, 0, 0.5, 1], [4, 3, 1, 2], (count, 4))
    interval = rng.choice([1 / 30, 1 / 15], (count, 1))
    return np.concatenate([box * seen, seen, interval], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Model:
    """A bundle with rows to step, and what the reference makes of them.

    ``exact`` is the bundle that a smaller precision was made from, and else the bundle itself;
    ``original`` is the model of that bundle.
    """

    bundle: Bundle
    exact: Bundle
    precision: Precision
    original: Model | None = None
    _rows: dict[tuple[int, int], tuple[Float32, Float32]] = field(default_factory=dict)

    def x(self, count: int, rng: np.random.Generator) -> Float32:
        """Rows [count, F]: standard normal features and a clock that tells any time, or noise."""
        manifest = self.bundle.manifest
        if manifest.audio is not None:
            return rng.normal(scale=0.1, size=(count, manifest.audio.chunk)).astype(np.float32)
        if manifest.task == "tracking":
            return boxes(count, rng)
        features = rng.normal(size=(count, len(manifest.features)))
        lacking = rng.random((count, len(manifest.missing))) < 0.1
        features[:, list(manifest.missing)] = np.where(
            lacking, np.nan, features[:, list(manifest.missing)]
        )
        clock = rng.random((count, len(manifest.clock)))
        if "elapsed_s" in manifest.clock:
            clock[:, manifest.clock.index("elapsed_s")] = manifest.sample_interval_s or 1.0
        return np.concatenate([features, clock], axis=1).astype(np.float32)

    def rows(self, count: int, seed: int = 0) -> tuple[Float32, Float32]:
        """Rows and states of so many streams, half of them new and half some rows old."""
        if (count, seed) not in self._rows:
            rng = np.random.default_rng(seed)
            state = new = np.repeat(self.exact.manifest.initial_state()[None], count, axis=0)
            for _ in range(5):
                _, state = self.reference.step(self.x(count, rng), state)
            state[::2] = new[::2]
            self._rows[count, seed] = self.x(count, rng), state
        x, state = self._rows[count, seed]
        return x.copy(), state.copy()

    @functools.cached_property
    def reference(self) -> Engine:
        """Torch on the CPU with the exact bundle."""
        return TorchEngine(self.exact)

    @functools.cached_property
    def long_run(self) -> tuple[Float32, Float32, Float32]:
        """Rows [T, 2, F] of two streams, the reference's last y and state."""
        if self.original is not None:
            return self.original.long_run
        rng = np.random.default_rng(2)
        steps = STEPS[self.bundle.manifest.task]
        x = self.x(2 * steps, rng).reshape(steps, 2, -1)
        state = np.repeat(self.exact.manifest.initial_state()[None], 2, axis=0)
        for rows in x:
            y, state = self.reference.step(rows, state)
        return x, y, state


@functools.cache
def _task_bundle(task: str) -> Bundle:
    """The task's bundle, exported once."""
    with TemporaryDirectory() as folder:
        return read_bundle(TASKS[task](Path(folder)))


@functools.cache
def make_model(name: str) -> Model:
    """The bundle ``name`` with its rows."""
    task, lowered, precision = MODELS[name]
    exact = _task_bundle(task)
    bundle = exact if lowered is None else lowered_bundle(exact, *lowered, Path(f"{name}.onnx"))
    shared = None if lowered is None else make_model(task)
    return Model(bundle, exact, precision, shared)


def off(got: Float32, wanted: Float32) -> float:
    """The largest difference, relative where a value exceeds 1; not finite where one of two is."""
    assert got.shape == wanted.shape
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        apart = np.abs(got - wanted) / np.maximum(np.abs(wanted), 1.0)
    return float(np.where(same, 0.0, np.nan_to_num(apart, nan=np.inf)).max(initial=0.0))
