"""The options that every training command has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path,
    typer.Option(help="A CSV (.csv, .csv.gz) or Parquet file, or a folder of them: one a series."),
]
Out = Annotated[Path, typer.Option(help="Folder for NAME.onnx, report.json and report.html.")]
Name = Annotated[
    str | None, typer.Option(help="What the model is called. Default: after the data.")
]
TimeColumn = Annotated[
    str | None, typer.Option(help="The column of times. Default: found by its name or type.")
]
Features = Annotated[
    str | None,
    typer.Option(metavar="A,B,…", help="Columns to learn from. Default: all numeric ones."),
]
DropLate = Annotated[
    bool, typer.Option("--drop-late", help="Leave out rows that are not later than those before.")
]
Rows = Annotated[
    int | None,
    typer.Option(min=1, help="Use only so many rows of each series, from its start."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from an interrupted training in the folder.")
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Epochs at most.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Of everything random.")]
Threads = Annotated[int | None, typer.Option(min=1, help="No more than there are idle cores.")]
