"""JSON schemas (draft 2020-12) of every record that comes out of a pipeline, a file each."""

from __future__ import annotations

from importlib.resources import files

# By the record's ``type``, in the order of docs/formats.md; dead letters have no type.
KINDS = (
    "score",
    "alarm",
    "forecast",
    "partial",
    "final",
    "keyword",
    "track",
    "enter",
    "leave",
    "cross",
    "output",
    "dead-letter-headers",
    "dead-letter-line",
)


def schema_text(kind: str) -> str:
    """The schema of one of ``KINDS``, as JSON."""
    return files(__name__).joinpath(f"{kind}.json").read_text(encoding="utf-8")
