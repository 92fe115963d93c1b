"""Which engine runs a bundle: the one that was asked for, or the fastest that works."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import structlog

from pipeline.bundle import Bundle
from pipeline.config import EngineConfig
from pipeline.engines.base import Engine
from pipeline.engines.described import DescribedEngine
from pipeline.engines.onnx import OnnxEngine
from pipeline.engines.tensorrt import TensorRtEngine
from pipeline.errors import EngineError
from pipeline.manifest import Feature, Manifest, Part

log = structlog.get_logger(__name__)

# In the order of preference where two are equally fast.
DEVICES = ("tensorrt", "cuda", "cpu")
TRIALS = 5  # steps of the largest batch, of which the fastest counts

# The smallest graph there is: y = x, state_next = state, both [batch, 1] (ONNX opset 18).
_IDENTITY = base64.b64decode(
    "CAg6nQEKEAoBeBIBeSIISWRlbnRpdHkKHQoFc3RhdGUSCnN0YXRlX25leHQiCElkZW50aXR5EgVwcm9iZVoUCgF4"
    "Eg8KDQgBEgkKAxIBYgoCCAFaGAoFc3RhdGUSDwoNCAESCQoDEgFiCgIIAWIUCgF5Eg8KDQgBEgkKAxIBYgoCCAFi"
    "HQoKc3RhdGVfbmV4dBIPCg0IARIJCgMSAWIKAggBQgQKABAS"
)


def make_engine(config: EngineConfig, bundle: Bundle, directory: Path) -> Engine:
    """The engine that ``config`` asks for; raises EngineError, with a hint, where it can't run.

    ``auto`` tries all, measures those that work on batches of ``max_rows`` and takes the fastest.
    Built TensorRT engines are kept in ``config.cache``, or else in ``engines`` of ``directory``.
    """
    cache = directory / (config.cache or "engines")
    if config.device != "auto":
        engine = open_engine(config.device, bundle, config.threads, config.max_rows, cache)
        log.info("engine", name=engine.name, device=engine.device)
        return engine
    works: dict[str, Engine] = {}
    for device in DEVICES:
        try:
            works[device] = open_engine(device, bundle, config.threads, config.max_rows, cache)
        except EngineError as reason:
            log.info("engine is not available", device=device, reason=str(reason))
    if not works:
        raise EngineError(
            'engine.device = "auto": no engine can run this bundle here; `streamcell doctor` says '
            "what each one lacks"
        )
    rates = {name: _rows_per_s(works[name], bundle, config.max_rows) for name in works}
    best = max(rates, key=lambda name: rates[name])
    for name, engine in works.items():
        if name != best:
            engine.close()
    log.info(
        "engine chosen",
        name=works[best].name,
        device=works[best].device,
        rows_per_s={name: round(rate) for name, rate in rates.items()},
    )
    return works[best]


def open_engine(device: str, bundle: Bundle, threads: int, max_rows: int, cache: Path) -> Engine:
    """The engine for ``cpu``, ``cuda`` or ``tensorrt``; raises EngineError where it can't run."""
    if bundle.description is not None:
        if device == "tensorrt":
            raise EngineError(
                f"{bundle.path}: a described model runs on ONNX Runtime; set engine.device to "
                '"cpu" or "cuda"'
            )
        return DescribedEngine(
            bundle.description,
            bundle.manifest,
            bundle.model,
            str(bundle.path),
            "cuda" if device == "cuda" else "cpu",
            threads,
        )
    if device == "tensorrt":
        return TensorRtEngine(bundle, max_rows, cache)
    return OnnxEngine(bundle, "cuda" if device == "cuda" else "cpu", threads)


def probe(device: str) -> Engine:
    """An engine that really has run a step on ``device``; raises EngineError, with a hint."""
    part = (Part(name="one"),)
    manifest = Manifest(
        name="probe",
        task="none",
        features=(Feature(name="one"),),
        state=part,
        outputs=part,
        fingerprint="",
        created="",
    )
    bundle = Bundle(Path("probe.onnx"), _IDENTITY, manifest, hashlib.sha256(_IDENTITY).hexdigest())
    makers: dict[str, Callable[[], Engine]] = {
        "cpu": lambda: OnnxEngine(bundle),
        "cuda": lambda: OnnxEngine(bundle, "cuda"),
        "tensorrt": lambda: TensorRtEngine(bundle, max_rows=2),
    }
    engine = makers[device]()
    rows = np.ones((2, 1), np.float32)
    y, state = engine.step(rows, rows)
    if not (np.array_equal(y, rows) and np.array_equal(state, rows)):
        engine.close()
        raise EngineError(f"{engine.name} on {engine.device} computes nonsense: 1 became {y[0, 0]}")
    return engine


def _rows_per_s(engine: Engine, bundle: Bundle, rows: int) -> float:
    """Of the fastest of a few steps of new streams."""
    state = np.repeat(bundle.manifest.initial_state()[None], rows, axis=0)
    x = np.zeros((rows, bundle.manifest.input_width), np.float32)
    engine.step(x, state)
    times = []
    for _ in range(TRIALS):
        began = time.perf_counter()
        engine.step(x, state)
        times.append(time.perf_counter() - began)
    return rows / min(times)
