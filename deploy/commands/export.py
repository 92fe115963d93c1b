"""``streamcell export``: a bundle in another precision or for another engine, behind a gate."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.bundle import Bundle, read_bundle

if TYPE_CHECKING:
    from export.convert import Converted
    from trainer.rows import Series


class Target(StrEnum):
    """The engine that the result is for."""

    ONNX = "onnx"
    TENSORRT = "tensorrt"


class Precision(StrEnum):
    """That of the large matrix products; everything else stays float32."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


def export(
    bundle: Annotated[Path, typer.Argument(help="A bundle in fp32.")],
    data: Annotated[
        Path,
        typer.Option(
            help="Held-out rows, as the trainer takes them: the task's metric is measured on them."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The bundle to write.")],
    target: Annotated[Target, typer.Option(help="The engine it is for.")] = Target.ONNX,
    precision: Annotated[
        Precision, typer.Option(help="Precision of the matrix products.")
    ] = Precision.FP32,
    limit: Annotated[
        float,
        typer.Option(min=0.0, help="How much worse the metric may get, as a share: 0.02 is 2 %."),
    ] = 0.02,
    time_column: Annotated[
        str | None, typer.Option(help="The column of times. Default: found by its name or type.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Cores that one step may use.")] = 1,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Largest batch of a TensorRT engine; as engine.max_rows.")
    ] = 1024,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps TensorRT's engine. Default: `engines` beside OUT."),
    ] = None,
) -> None:
    """Lower a bundle's precision or build it for TensorRT, and measure what that costs and brings.

    The task's own metric before and after goes into the manifest. Beyond the limit nothing is
    written. States of one precision don't go on in another.

    Examples:
      streamcell export press.onnx --precision int8 --data held_out.csv --out press-int8.onnx

      streamcell export press.onnx --target tensorrt --precision fp16 --data held_out.csv \
--out press-trt.onnx

    """
    # Exporting's libraries take seconds to import; --help and other commands do without.
    from export.convert import Wanted, convert

    source = read_bundle(bundle)
    console = Console()
    series = _held_out(source, data, time_column)
    for one in series:
        for note in one.notes:
            console.print(f"{one.name}: {note}", highlight=False)
    wanted = Wanted(
        out=out,
        target=target.value,
        precision=precision.value,
        limit=limit,
        threads=threads,
        max_rows=max_rows,
        cache=cache or out.parent / "engines",
    )
    with console.status("Measuring before and after"):
        converted = convert(source, wanted, series)
    console.print(_table(wanted.label, converted))
    for reason in converted.reasons:
        console.print(f"No faster at {reason}.", soft_wrap=True, highlight=False)
    rows = sum(map(len, series))
    console.print(
        f"Measured on {rows:,} held-out rows; written: {out}", soft_wrap=True, highlight=False
    )


def _held_out(bundle: Bundle, data: Path, time_column: str | None) -> list[Series]:
    """The rows, without those that the pipeline would not let in."""
    import numpy as np

    from trainer.rows import read_rows

    manifest = bundle.manifest
    series = read_rows(
        data,
        time_column=time_column,
        features=[feature.name for feature in manifest.features],
        keep_missing=bool(manifest.missing),
        drop_late=True,
    )
    needed = [at for at, feature in enumerate(manifest.features) if not feature.missing]
    return [one.at(np.asarray(np.isfinite(one.values[:, needed]).all(axis=1))) for one in series]


def _table(label: str, converted: Converted) -> Table:
    """Before and after, side by side."""
    table = Table(box=None, pad_edge=False)
    for name, side in (("", "left"), ("fp32", "right"), (label, "right"), ("", "right")):
        table.add_column(name, justify="right" if side == "right" else "left")
    old, new = converted.sizes
    table.add_row("runs on", *converted.engines, "")
    table.add_row("bytes", f"{old:,}", f"{new:,}", f"{new / old:.0%}")
    for line in converted.verdict.lines:
        table.add_row(
            line.name.replace("_", " "),
            "" if line.before is None else f"{line.before:.5g}",
            f"{line.after:.5g}",
            f"{line.worse:+.2%}",
        )
    for batch, (slow, fast) in converted.rates.items():
        table.add_row(
            f"rows/s, batch {batch:,}", f"{slow:,.0f}", f"{fast:,.0f}", f"{fast / slow:.2f}×"
        )
    return table
