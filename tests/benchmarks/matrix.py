"""The machine's matrix-product rate on one core: ``python -m tests.benchmarks.matrix``.

A process of its own, because numpy's BLAS takes its thread count from the environment once.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from tests.benchmarks.timing import seconds

ROWS, INNER, OUTER = 1024, 128, 256  # a gate product of the benchmark's second layer


def measured_gflops() -> float:
    """Billions of multiplications and additions a second, on one core."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.benchmarks.matrix"]
    answer = subprocess.run(command, env=environment, capture_output=True, check=True)
    return float(answer.stdout)


def _main() -> None:
    random = np.random.default_rng(0)
    left = random.normal(size=(ROWS, INNER)).astype(np.float32)
    right = random.normal(size=(INNER, OUTER)).astype(np.float32)
    out = np.empty((ROWS, OUTER), np.float32)
    taken = seconds(lambda: np.matmul(left, right, out=out))
    sys.stdout.write(f"{2 * ROWS * INNER * OUTER / taken / 1e9}\n")


if __name__ == "__main__":
    _main()
