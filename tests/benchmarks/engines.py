"""Every engine and precision that this machine can run, against its matrix-product rate.

python -m tests.benchmarks.engines            every batch and width, about 10 minutes
python -m tests.benchmarks.engines --quick    a look, about 2 minutes
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from export.lowered import lowered_bundle
from export.precision import Target
from export.reference import TorchEngine
from export.untrained import untrained_anomaly_bundle
from pipeline.bundle import Bundle, read_bundle
from pipeline.engines.base import Engine
from pipeline.engines.onnx import OnnxEngine
from pipeline.engines.tensorrt import TensorRtEngine
from pipeline.errors import EngineError
from tests.benchmarks.engine import flops_per_row
from tests.benchmarks.machine import describe
from tests.benchmarks.matrix import measured_gflops
from tests.benchmarks.report import Part, Table, percent, rate, write
from tests.benchmarks.timing import seconds

FEATURES, LAYERS = 32, 2
BATCHES = (1, 64, 1024, 16_384)
WIDTHS = (64, 128, 512)
PRECISIONS = ("fp32", "fp16", "int8")
TOO_SLOW_S = 20.0  # the cells of an engine that needs longer for one step stay empty


@dataclass(frozen=True, slots=True)
class Runner:
    """An engine to measure, and the form of the bundles that it takes."""

    make: Callable[[Bundle], Engine]
    target: Target = "onnx"
    precisions: tuple[str, ...] = PRECISIONS


RUNNERS: dict[str, Runner] = {
    "ONNX Runtime, CPU, 1 thread": Runner(lambda bundle: OnnxEngine(bundle, threads=1)),
    "ONNX Runtime, CUDA": Runner(lambda bundle: OnnxEngine(bundle, "cuda")),
    "TensorRT": Runner(
        lambda bundle: TensorRtEngine(bundle, max(BATCHES), package="tensorrt"), "tensorrt"
    ),
    "TensorRT for RTX": Runner(
        lambda bundle: TensorRtEngine(bundle, max(BATCHES), package="tensorrt_rtx"), "tensorrt"
    ),
    "torch, CPU, 1 thread (reference)": Runner(TorchEngine, precisions=("fp32",)),
    "torch, CUDA (reference)": Runner(
        lambda bundle: TorchEngine(bundle, "cuda"), precisions=("fp32",)
    ),
}


def measure(folder: Path, quick: bool, say: Callable[[str], None]) -> Part:
    """Rows/s of each engine, precision, width and batch; what can't run here is told in a note."""
    torch.set_num_threads(1)
    say("matrix products on one core")
    gflops = measured_gflops()
    tables, data, missing = [], {}, {}
    for hidden in WIDTHS:
        path = folder / f"{hidden}.onnx"
        say(f"exporting hidden {hidden}")
        untrained_anomaly_bundle(path, features=FEATURES, hidden=hidden, layers=LAYERS)
        bundle = read_bundle(path)
        flops = flops_per_row(bundle.model)
        ceiling = gflops * 1e9 / flops
        table = Table(
            f"Hidden {hidden}, {LAYERS} layers, {FEATURES} features: rows/s",
            ("engine", "precision", *(f"batch {batch:,}" for batch in BATCHES), "best/ceiling"),
            notes=[
                f"The matrix products take {flops:,} operations a row; numpy's on one core reach "
                f"{gflops:.0f} GFLOP/s: {ceiling:,.0f} rows/s is the ceiling of one core in fp32."
            ],
        )
        for name, runner in RUNNERS.items():
            for precision in runner.precisions:
                say(f"hidden {hidden}: {name}, {precision}")
                try:
                    engine = runner.make(_in_precision(bundle, precision, runner.target, folder))
                except EngineError as error:
                    missing[name] = str(error).splitlines()[0]
                    break
                rates = _rates(engine, bundle, quick)
                engine.close()
                data[f"{name}, {precision}, hidden {hidden}"] = rates
                cells = [rate(rates[batch]) if batch in rates else "–" for batch in BATCHES]
                best = percent(max(rates.values()) / ceiling)
                table.rows.append((name, precision, *cells, best))
        tables.append(table)
    tables[-1].notes += [f"Not run here: {name}: {why}" for name, why in missing.items()]
    tables[-1].notes.append(
        "Engines on the processor are timed in its own time, those on a GPU by the clock, copies "
        "to the GPU and back included."
    )
    return Part("engines", tables, {"rows_per_s": data, "gflops": gflops, "missing": missing})


def _in_precision(bundle: Bundle, precision: str, target: Target, folder: Path) -> Bundle:
    if precision == "fp32":
        return bundle
    return lowered_bundle(
        bundle, "fp16" if precision == "fp16" else "int8", target, folder / "lowered.onnx"
    )


def _rates(engine: Engine, bundle: Bundle, quick: bool) -> dict[int, float]:
    """Batch → rows/s."""
    random = np.random.default_rng(0)
    looks, look_s = (3, 0.05) if quick else (7, 0.2)
    rates = {}
    for batch in BATCHES:
        x = random.normal(size=(batch, FEATURES)).astype(np.float32)
        state = 0.1 * random.random((batch, bundle.manifest.state_width)).astype(np.float32)
        step = partial(engine.step, x, state)
        taken = seconds(step, looks=looks, look_s=look_s, wall=engine.device != "cpu")
        rates[batch] = batch / taken
        if 16 * taken > TOO_SLOW_S:
            break
    return rates


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter looks")
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console.width = 140  # a log wraps no tables
    described = describe()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, console.status("…") as status:
        part = measure(Path(folder), options.quick, status.update)
    for table in part.tables:
        table.show(console)
    if not options.no_write:
        name = f"{datetime.now(UTC):%Y-%m-%d}-{described['commit']}".rstrip("+")
        name += "-quick-engines" if options.quick else "-engines"
        console.print(f"\nwritten: {write(described, [part], name)}")


if __name__ == "__main__":
    main()
