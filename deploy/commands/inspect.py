"""``streamcell inspect``: what a bundle says of itself."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline.bundle import Bundle, read_model

LONG = 1000  # characters of one text


def inspect(
    bundle: Annotated[Path, typer.Argument(help="A bundle, as `streamcell train` writes it.")],
    json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Print a bundle's manifest: task, features, state, outputs, thresholds, metrics, origin.

    Long texts, such as the tables of a language model, are cut.

    Examples:
      streamcell inspect press.onnx

      streamcell inspect press.onnx --json | jq .head

    """
    found = read_model(bundle)
    if json:
        typer.echo(
            dumps(_cut(found.manifest.model_dump(mode="json")), indent=2, ensure_ascii=False)
        )
        return
    Console(markup=False).print(_table(found))  # units and labels stand in brackets


def _table(bundle: Bundle) -> Table:
    manifest = bundle.manifest
    table = Table(title=f"{manifest.name} ({manifest.task})", title_justify="left", box=None)
    table.add_column(style="bold")
    table.add_column()
    interval = manifest.sample_interval_s
    table.add_row("file", f"{bundle.path}, {len(bundle.model):,} bytes")
    table.add_row("sha256", bundle.sha256)
    table.add_row("fingerprint", manifest.fingerprint)
    table.add_row("precision", manifest.precision)
    table.add_row("created", manifest.created)
    table.add_row(
        "features",
        ", ".join(f"{f.name} [{f.unit}]" if f.unit else f.name for f in manifest.features),
    )
    if manifest.missing:
        lacking = ", ".join(manifest.features[at].name for at in manifest.missing)
        table.add_row("may lack", lacking)
    if manifest.clock:
        table.add_row("of the time", ", ".join(manifest.clock))
    table.add_row("sampling step", f"{interval:g} s" if interval else "not stated")
    table.add_row("state", f"{manifest.state_width} floats a stream")
    for part in manifest.state:
        table.add_row("", f"{part.name} {list(part.shape)}")
    table.add_row("outputs", f"{manifest.output_width} floats a row")
    for part in manifest.outputs:
        table.add_row("", f"{part.name} {list(part.shape)}")
    for title, values in (
        ("head", manifest.head),
        ("metrics", manifest.metrics),
        ("parity", manifest.parity),
        ("training", manifest.training),
        ("versions", manifest.versions),
    ):
        table.add_row(
            title, "\n".join(f"{name} = {_short(value)}" for name, value in values.items())
        )
    return table


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 100 else text[:97] + "…"


def _cut(value: Any) -> Any:
    """A manifest's value without the rest of texts that nobody reads."""
    if isinstance(value, dict):
        return {name: _cut(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_cut(one) for one in value]
    if isinstance(value, str) and len(value) > LONG:
        return f"{value[:40]}… ({len(value):,} characters)"
    return value
