"""How fast a bundle steps, and where ONNX Runtime spends the time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import orjson

from pipeline.block import Float32
from pipeline.bundle import INPUTS, OUTPUTS, Bundle
from pipeline.engines.base import Engine
from pipeline.engines.runtime import onnx_runtime

LOOKS = 15
LOOK_S = 0.03
PROFILED_STEPS = 20
PRODUCTS = frozenset(
    {
        "DynamicQuantizeMatMul",
        "FusedGemm",
        "FusedMatMul",
        "Gemm",
        "MatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "QGemm",
        "QLinearMatMul",
    }
)


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a step's time went: microseconds in matrix products and in everything else.

    ``types`` are what the products multiplied, such as ``float``, ``float16``, ``uint8``.
    """

    products_us: float
    rest_us: float
    types: tuple[str, ...]


def rows_per_s(engines: Sequence[Engine], bundles: Sequence[Bundle], batch: int) -> list[float]:
    """Of each engine with its bundle, on batches of ``batch`` settled streams.

    Their looks take turns, so that what else the machine does troubles all alike, and the fastest
    of each counts.
    """
    steps = []
    for engine, bundle in zip(engines, bundles, strict=True):
        x, state = settled(engine, bundle, batch)
        steps.append((partial(engine.step, x, state), clock_of(engine)))
    calls = [max(1, round(LOOK_S / max(1e-6, _once(*step, 3)))) for step in steps]
    looks = [
        [_once(*step, count) for step, count in zip(steps, calls, strict=True)]
        for _ in range(LOOKS)
    ]
    return [batch / min(taken) for taken in zip(*looks, strict=True)]


def clock_of(engine: Engine) -> Callable[[], float]:
    """Processor time where the processor does the work: other processes' turns do not count."""
    return time.process_time if engine.device == "cpu" else time.perf_counter


def settled(engine: Engine, bundle: Bundle, batch: int) -> tuple[Float32, Float32]:
    """Standard normal rows, and streams that have seen a few of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, bundle.manifest.input_width)).astype(np.float32)
    state = np.repeat(bundle.manifest.initial_state()[None], batch, axis=0)
    for _ in range(5):
        _, state = engine.step(x, state)
    return x, state


def _once(step: Callable[[], object], clock: Callable[[], float], calls: int) -> float:
    began = clock()
    for _ in range(calls):
        step()
    return (clock() - began) / calls


def profile(bundle: Bundle, x: Float32, state: Float32, threads: int = 1) -> Profile:
    """Step ``bundle`` on the CPU with ONNX Runtime's profiler; the median step counts."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_profiling = True
    with tempfile.TemporaryDirectory(prefix="streamcell-") as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(
            bundle.model, options, providers=["CPUExecutionProvider"]
        )
        feeds = dict(zip(INPUTS, (x, state), strict=True))
        for _ in range(PROFILED_STEPS):
            session.run(OUTPUTS, feeds)
        events = orjson.loads(Path(session.end_profiling()).read_bytes())
    kernels = [
        event
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
    ]
    taken: dict[str, list[float]] = {}
    for event in kernels:
        taken.setdefault(event["name"], []).append(float(event["dur"]))
    operators = {event["name"]: event["args"]["op_name"] for event in kernels}
    medians = {name: float(np.median(each)) for name, each in taken.items()}
    products = [name for name in medians if operators[name] in PRODUCTS]
    types = {
        kind
        for event in kernels
        if operators[event["name"]] in PRODUCTS
        for kind in event["args"].get("input_type_shape", [{}])[0]
    }
    products_us = sum(medians[name] for name in products)
    return Profile(products_us, sum(medians.values()) - products_us, tuple(sorted(types)))
