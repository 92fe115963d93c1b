"""What ``docs/configuration.md`` must say of each table, read off the models of the configuration.

``python -m tests.configuration`` prints the tables, for whoever changes a key.
"""

from __future__ import annotations

import json
import sys
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.config import Config
from pipeline.config_edges import Table

HEADER = "| key | type | default | meaning |\n|---|---|---|---|"
WORDS: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "true or false"}
BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def tables() -> dict[str, list[str]]:
    """Heading → its rows, for every table of the file that has keys, an outer one first."""
    found: dict[str, list[str]] = {}
    _collect(Config, "", found)
    merged: dict[str, list[str]] = {}
    for heading, rows in found.items():
        same = next((other for other in merged if merged[other] == rows), None)
        if same is not None:  # the same table in two places is described once
            merged = {
                f"{same} and {heading}" if other == same else other: merged[other]
                for other in merged
            }
        else:
            merged[heading] = rows
    return merged


def keys_of(rows: list[str]) -> set[str]:
    """The keys of a table's rows."""
    return {row.split("`")[1] for row in rows}


def _collect(model: type[Table], name: str, found: dict[str, list[str]]) -> None:
    heading, rows = name, []
    tag = model.model_fields.get("type")
    if tag is not None:
        heading += f' with `type = "{get_args(tag.annotation)[0]}"`'
    inner: list[tuple[type[Table], str]] = []
    for key, field in model.model_fields.items():
        models = _models(field.annotation)
        inner += [(other, _heading(name, key, field)) for other in models]
        if not models and key != "type":
            rows.append(f"| `{key}` | {_type(field)} | {_default(field)} | {field.description} |")
    if rows:
        found[heading] = rows
    for other, inner_name in inner:
        _collect(other, inner_name, found)


def _heading(name: str, key: str, field: FieldInfo) -> str:
    path = f"{name.strip('[]`')}.{key}".lstrip(".")
    return f"`[[{path}]]`" if get_origin(field.annotation) is list else f"`[{path}]`"


def _models(annotation: Any) -> list[type[Table]]:
    """The tables that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, Table):
        return [annotation]
    if get_origin(annotation) is Literal:
        return []
    return [model for part in get_args(annotation) for model in _models(part)]


def _type(field: FieldInfo) -> str:
    said = _words(field.annotation)
    bounds = [
        f"{sign} {getattr(item, name)}"
        for item in field.metadata
        for name, sign in BOUNDS.items()
        if getattr(item, name, None) is not None
    ]
    return f"{said} {', '.join(bounds)}".strip()


def _words(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{json.dumps(part)}`" for part in parts)
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in parts if part is not NoneType)
    if origin is list:
        return f"list of {_words(parts[0])}"
    return WORDS[annotation]


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.default_factory is None else "–"
    return "–" if field.default is None else f"`{json.dumps(field.default)}`"


if __name__ == "__main__":
    for heading, rows in tables().items():
        sys.stdout.write(f"## {heading}\n\n{HEADER}\n" + "\n".join(rows) + "\n\n")
