"""Choose the anomaly head's constants: training rows and faults put in, no test set, no labels.

python -m tests.benchmarks.anomaly_constants     10 minutes; writes results/

Every machine of ASD and SMD gives its *training* rows alone. A model learns from their first half
by default options; faults of each kind are put into copies of the second half. The head is then run
over the same model outputs with one constant after the other changed, and judged by how well its
score ranks faulty rows above the others (average precision, mean over kinds and data sets).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from rich.console import Console

from pipeline.block import Float32
from pipeline.heads import anomaly as head_module
from pipeline.heads.anomaly import AnomalyParams
from tests.benchmarks import machine
from tests.benchmarks.report import Part, Table, write
from tests.shared import shared_path
from trainer.anomaly import AnomalyConfig, fit
from trainer.anomaly.faults import KINDS, Faulty, with_faults
from trainer.anomaly.judge import head_of, judge, outputs
from trainer.metrics.pointwise import average_precision
from trainer.rows import Series

SETS = {"asd": "omi-*.npz", "smd": "machine-*.npz"}
MOST_ROWS = 12_000  # of a machine's training rows
REPEATS = 2
LEAD_ROWS = 600
# The module's constants, and those of its parameters that a user leaves at their defaults.
MODULE: dict[str, tuple[float, ...]] = {
    "TAIL": (0.02, 0.05, 0.1),
    "MOST_EXCESS": (2.0, 4.0, 8.0),
    "LEAST_SLOPE": (0.03, 0.1, 0.3),
    "FAR_WEIGHT": (0.03, 0.1, 0.3, 1.0),
}
PARAMS: dict[str, tuple[int, ...]] = {
    "short_rows": (5, 10, 20),
    "long_rows": (2_000, 20_000, 100_000),
}


@dataclass(frozen=True, slots=True)
class Rig:
    """One machine: the model's outputs over each faulty copy, and the head's calibration."""

    dataset: str
    params: AnomalyParams
    features: tuple[str, ...]
    cases: list[Faulty]
    y: list[Float32]


def main() -> None:
    """Train once, then change the constants one at a time."""
    console = Console()
    rigs = []
    for dataset, pattern in SETS.items():
        for path in sorted(shared_path("data", "anomaly", dataset).glob(pattern)):
            console.print(f"training on {dataset} {path.stem}")
            rigs.append(_rig(dataset, path))
    table = Table(
        "Average precision on faults put into training rows",
        ["constant", "value", *KINDS, "mean"],
        notes=[f"{len(rigs)} machines, {REPEATS} copies a kind; * is the value in use."],
    )
    data: dict[str, Any] = {}

    def add(name: str, value: str, found: dict[str, float]) -> None:
        cells = [f"{found[kind]:.3f}" for kind in KINDS]
        mean = float(np.mean([*found.values()]))
        table.rows.append([name, value, *cells, f"{mean:.3f}"])
        data[f"{name} {value}"] = {**found, "mean": mean}
        console.print(name, value, *cells, f"{mean:.3f}")

    add("as in use", "", _precision(rigs, {}, {}))
    with patch.object(head_module, "_judge", _gaussian):
        add("Gaussian tail", "", _precision([_moments(rig) for rig in rigs], {}, {}))
    for name, values in MODULE.items():
        for value in values:
            mark = "*" if value == getattr(head_module, name) else ""
            add(name, f"{value:g}{mark}", _precision(rigs, {name: value}, {}))
    for name, sizes in PARAMS.items():
        for size in sizes:
            mark = "*" if size == AnomalyParams.model_fields[name].default else ""
            add(name, f"{size}{mark}", _precision(rigs, {}, {name: size}))
    path = write(machine.describe(), [Part("constants", [table], data)], "anomaly-constants")
    console.print(f"Written: {path}")


def _rig(dataset: str, path: Path) -> Rig:
    with np.load(path, allow_pickle=False) as arrays:
        values = arrays["train"][:MOST_ROWS].astype(np.float32)
    features = tuple(f"f{at}" for at in range(values.shape[1]))
    times = np.arange(len(values), dtype=np.int64) * 60_000_000
    series = Series(path.stem, times, values, features)
    half = len(values) // 2
    with tempfile.TemporaryDirectory(prefix="constants-") as workdir:
        trained = fit([series.rows(0, half)], AnomalyConfig(), workdir=Path(workdir))
    cases = [with_faults(values[half:], kind, seed) for kind in KINDS for seed in range(REPEATS)]
    lead = values[half - LEAD_ROWS : half]  # so that the streams are under way
    streams = np.stack([np.concatenate([lead, one.values]) for one in cases])
    y = [np.ascontiguousarray(one) for one in outputs(trained.model, streams)]
    return Rig(dataset, AnomalyParams.model_validate(trained.head), features, cases, y)


def _moments(rig: Rig) -> Rig:
    """The rig calibrated for a Gaussian: mean and spread in place of level and mean excess."""
    error = rig.y[0][:LEAD_ROWS, 0].astype(np.float64)
    kernel = np.full(rig.params.short_rows, 1.0 / rig.params.short_rows)
    short = np.convolve(error, kernel, "valid")
    fitted = {"error_level": error.mean(), "error_slope": error.std() + 1e-3}
    fitted |= {"short_level": short.mean(), "short_slope": short.std() + 1e-3}
    return replace(rig, params=rig.params.model_copy(update=fitted))


def _precision(
    rigs: Sequence[Rig], module: dict[str, float], params: dict[str, int]
) -> dict[str, float]:
    """The mean over data sets of the mean over machines, for each kind of fault."""
    found: dict[str, dict[str, list[float]]] = {kind: {} for kind in KINDS}
    with _patched(module):
        for rig in rigs:
            head = head_of(rig.params.model_copy(update=params), rig.features)
            for case, judged in zip(rig.cases, judge(head, rig.y), strict=True):
                score = judged.score[len(judged.score) - len(case.values) :]
                one = average_precision(case.labels, score)
                found[case.kind].setdefault(rig.dataset, []).append(one)
    return {
        kind: float(np.mean([np.mean(each) for each in sets.values()]))
        for kind, sets in found.items()
    }


@contextlib.contextmanager
def _patched(module: dict[str, float]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for name, value in module.items():
            stack.enter_context(patch.object(head_module, name, value))
        yield


def _gaussian(value: Any, state: Any, of: str, least: float, share: Any) -> Any:
    """The other form: a Gaussian tail, as Lavin & Ahmad's; level is the mean, slope the spread."""
    mean, spread = state[f"{of}_level"].copy(), np.maximum(state[f"{of}_slope"], least)
    z = np.maximum((value - mean) / spread, 0.0)
    tail = _minus_log10_q(z)
    share = np.where(tail > head_module.FAR, head_module.FAR_WEIGHT * share, share)
    state[f"{of}_level"] = mean + share * (value - mean)
    variance = spread * spread + share * (
        np.minimum((value - mean) ** 2, 900 * spread**2) - spread**2
    )
    state[f"{of}_slope"] = np.sqrt(np.maximum(variance, least * least))
    return tail


def _minus_log10_q(z: Any) -> Any:
    """-log10 of the standard normal's upper tail, after Karagiannidis & Lioumpas (2007)."""
    z = np.maximum(z, 1e-3)
    log_q = np.log1p(-np.exp(-1.4 * z)) - z * z / 2 - np.log(1.135 * np.sqrt(2 * np.pi) * z)
    return np.maximum(-log_q / np.log(10.0), 0.0)


if __name__ == "__main__":
    main()
