"""Turn a bundle into one of another precision or for another engine, behind the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from export.gate import LIMIT, Verdict, compare
from export.lowered import lowered_bundle, with_metrics, write_bundle_file
from export.precision import Target
from export.speed import Profile, profile, rows_per_s, settled
from pipeline.bundle import Bundle
from pipeline.engines.base import Engine
from pipeline.engines.onnx import OnnxEngine
from pipeline.engines.tensorrt import TensorRtEngine
from pipeline.errors import ParityError
from trainer.rows import Series

Precision = Literal["fp32", "fp16", "int8"]
BATCHES = (1, 1024)
FASTER = 1.05  # below, it is as fast for all that one can measure


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; ``cache`` keeps TensorRT's engine, built for up to ``max_rows`` rows."""

    out: Path
    target: Target = "onnx"
    precision: Precision = "fp32"
    limit: float = LIMIT
    threads: int = 1
    max_rows: int = 1024
    cache: Path | None = None

    @property
    def label(self) -> str:
        """What the metrics are called after."""
        return self.precision if self.target == "onnx" else f"tensorrt_{self.precision}"


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written and measured; ``rates`` are rows/s by batch, before and after."""

    bundle: Bundle
    verdict: Verdict
    engines: tuple[str, str]
    sizes: tuple[int, int]
    rates: dict[int, tuple[float, float]]
    reasons: tuple[str, ...]  # why it is no faster, where it is not


def convert(bundle: Bundle, wanted: Wanted, series: Sequence[Series]) -> Converted:
    """Make the bundle that ``wanted`` describes, measure it on ``series``, and write it.

    ``bundle`` on ONNX Runtime on the CPU is what it is compared with. Raises ParityError where the
    task's metric gets worse beyond the limit (nothing is written then), BundleError where the
    graph can't be lowered, EngineError where the target can't run here, and DataError.
    """
    made = replace(bundle, path=wanted.out)
    if wanted.precision != "fp32":
        made = lowered_bundle(bundle, wanted.precision, wanted.target, wanted.out)
    before = OnnxEngine(bundle, threads=wanted.threads)
    after = _engine(made, wanted, None)
    try:
        verdict = compare(bundle.manifest, before, after, series)
        if refusal := verdict.refusal(wanted.limit):
            raise ParityError(
                f"{wanted.out}: {wanted.label} is refused: {refusal}; no file was written"
            )
        batches = [batch for batch in BATCHES if batch <= wanted.max_rows]
        rates = {}
        for batch in batches:
            slow, fast = rows_per_s((before, after), (bundle, made), batch)
            rates[batch] = slow, fast
        reasons = tuple(
            _reason(bundle, made, wanted, before, batch)
            for batch, (slow, fast) in rates.items()
            if fast < FASTER * slow and made.model != bundle.model and wanted.target == "onnx"
        )
        names = tuple(f"{engine.name}, {engine.device}" for engine in (before, after))
    finally:
        before.close()
        after.close()
    made = with_metrics(made, verdict.metrics(wanted.label))
    write_bundle_file(made)
    if wanted.target == "tensorrt" and wanted.cache is not None:
        _engine(made, wanted, wanted.cache).close()  # built once more, under the file's own hash
    sizes = len(bundle.model), len(made.model)
    return Converted(made, verdict, (names[0], names[1]), sizes, rates, reasons)


def _engine(bundle: Bundle, wanted: Wanted, cache: Path | None) -> Engine:
    if wanted.target == "tensorrt":
        return TensorRtEngine(bundle, wanted.max_rows, cache)
    return OnnxEngine(bundle, threads=wanted.threads)


def _reason(bundle: Bundle, made: Bundle, wanted: Wanted, engine: Engine, batch: int) -> str:
    """Why ``made`` is no faster, from what ONNX Runtime's profiler says of both."""
    x, state = settled(engine, bundle, batch)
    old, new = (profile(each, x, state, wanted.threads) for each in (bundle, made))
    return f"batch {batch:,}: {explain(old, new)}"


def explain(old: Profile, new: Profile) -> str:
    """What two profiles of a step say of why the second is no faster."""
    said = (
        f"matrix products took {old.products_us:,.0f} of {old.products_us + old.rest_us:,.0f} µs "
        f"and take {new.products_us:,.0f}; everything else goes from {old.rest_us:,.0f} to "
        f"{new.rest_us:,.0f} µs"
    )
    if new.types == old.types == ("float",):
        said += (
            "; ONNX Runtime multiplied float32 all the same: it has no products of halves for this "
            "processor and casts them back"
        )
    elif new.rest_us - old.rest_us > old.products_us - new.products_us:
        said += "; rounding the rows and scaling the results back costs more than the products save"
    else:
        share = old.products_us / max(old.products_us + old.rest_us, 1e-9)
        said += f"; the products were only {share:.0%} of the step"
    return said
