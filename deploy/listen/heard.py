"""What the speech head reports, row by row, for those who show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.block import Records


@dataclass(frozen=True, slots=True)
class Heard:
    """One report: ``kind`` is partial, final or keyword; ``score`` is None for a partial."""

    kind: str
    stream: str
    text: str
    start_s: float
    score: float | None


def heard(records: Records) -> Iterator[Heard]:
    """The reports in ``records``; none in those of other kinds."""
    columns = {name: column.tolist() for name, column in records.columns.items()}
    if records.kind in ("partial", "final"):
        texts, scores = columns["text"], columns.get("confidence")
    elif records.kind == "keyword":
        texts, scores = columns["keyword"], columns["score"]
    else:
        return
    for at, (key, text) in enumerate(zip(records.key.tolist(), texts, strict=True)):
        score = None if scores is None else float(scores[at])
        stream = key.decode(errors="replace")
        yield Heard(records.kind, stream, text, float(columns["start_s"][at]), score)
