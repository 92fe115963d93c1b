"""``streamcell schema``: what the records that come out look like, for programs."""

from __future__ import annotations

from json import loads
from typing import Annotated

import typer

from pipeline.schemas import KINDS, schema_text


def schema(
    kind: Annotated[
        str | None, typer.Argument(help="The record's type. Default: list all of them.")
    ] = None,
) -> None:
    """Print the JSON schema (draft 2020-12) of a record that comes out of a pipeline.

    Examples:
      streamcell schema

      streamcell schema alarm > alarm.json

    """
    if kind is None:
        width = max(map(len, KINDS))
        for one in KINDS:
            typer.echo(f"{one:{width}}  {loads(schema_text(one))['title']}")
        return
    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is none of: {', '.join(KINDS)}")
    typer.echo(schema_text(kind), nl=False)
