"""The floor: rows a second of the bare engine, beside the machine's matrix products."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnx

from pipeline.bundle import read_bundle
from pipeline.engines.onnx import OnnxEngine
from tests.benchmarks.bench import Bench
from tests.benchmarks.matrix import measured_gflops
from tests.benchmarks.report import Part, Table, micro, percent, rate
from tests.benchmarks.timing import seconds

BATCHES = (1, 64, 256, 1024, 4096)


def measure(bench: Bench) -> Part:
    """Rows/s of ``OnnxEngine`` with one thread, for several batch sizes."""
    flops = flops_per_row(bench.model.read_bytes())
    bench.say("matrix products on one core")
    gflops = measured_gflops()
    ceiling = gflops * 1e9 / flops
    bundle = read_bundle(bench.model)
    width = bundle.manifest.state_width
    random = np.random.default_rng(0)
    rates = {}
    engine = OnnxEngine(bundle, threads=1)
    for batch in BATCHES:
        bench.say(f"bare engine, batch {batch}")
        x = random.normal(size=(batch, bench.features)).astype(np.float32)
        state = 0.1 * random.normal(size=(batch, width)).astype(np.float32)
        looks, look_s = (5, 0.1) if bench.quick else (9, 0.3)
        taken = seconds(partial(engine.step, x, state), looks=looks, look_s=look_s)
        rates[batch] = batch / taken
    table = Table(
        "Bare engine, one thread",
        ("batch", "rows/s", "µs/row", "of the matrix-product rate"),
        [
            (f"{batch:,}", rate(found), micro(1 / found), percent(found / ceiling))
            for batch, found in rates.items()
        ],
        [
            f"The model's matrix products take {flops:,} operations a row; numpy's on one core "
            f"reach {gflops:.0f} GFLOP/s, which would be {ceiling:,.0f} rows/s."
        ],
    )
    data = {
        "rows_per_s": rates,
        "best_rows_per_s": max(rates.values()),
        "flops_per_row": flops,
        "matrix_gflops": gflops,
    }
    return Part("engine", [table], data)


def flops_per_row(model: bytes) -> int:
    """Two for each weight of a matrix product."""
    graph = onnx.load_from_string(model).graph
    weights = {node.input[1] for node in graph.node if node.op_type in ("MatMul", "Gemm")}
    return sum(
        2 * int(np.prod(tensor.dims)) for tensor in graph.initializer if tensor.name in weights
    )
