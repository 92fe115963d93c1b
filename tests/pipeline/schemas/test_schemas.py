"""The published schemas: what comes out fits them, what is wrong does not, none is missing."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipeline import assemble_model
from pipeline.decode.base import CAUSES
from pipeline.schemas import KINDS, schema_text
from tests.pipeline.schemas import produced
from tests.pipeline.schemas.judge import refuse
from tests.shared import REPOSITORY
from tests.sources import python_files, tree

TRACK_KINDS = {"track", "enter", "leave", "cross"}
LETTERS = {"dead-letter-headers", "dead-letter-line"}
Schema = dict[str, Any]


def schema(kind: str) -> Schema:
    """A schema, parsed."""
    found: Schema = json.loads(schema_text(kind))
    return found


@pytest.fixture(scope="module")
def texts() -> dict[str, list[str]]:
    """What heads and decoders make, by kind; tracks are tests/pipeline/tracking's."""
    made = [
        *produced.anomalies(),
        *produced.forecasts(),
        *produced.words(),
        *produced.described(),
    ]
    letters = {
        "dead-letter-headers": produced.header_texts(),
        "dead-letter-line": produced.line_texts(),
    }
    return produced.by_type(made) | letters


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in TRACK_KINDS])
def test_what_comes_out_fits(kind: str, texts: dict[str, list[str]]) -> None:
    """Every record that the heads, the decoder and the encoders make."""
    assert texts[kind]
    assert [why for text in texts[kind] if (why := refuse(kind, text))] == []


def test_the_real_records_show_every_field(texts: dict[str, list[str]]) -> None:
    """Also those that are there on request alone, and both states of an alarm."""
    for kind, some in texts.items():
        fields = {name for text in some for name in json.loads(text)}
        assert fields >= set(schema(kind)["properties"]), kind
    assert {json.loads(text)["state"] for text in texts["alarm"]} == {"open", "closed"}
    scores = [json.loads(text)["pinball"] for text in texts["forecast"]]
    assert {value is None for row in scores for value in row} == {True, False}


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_fits_and_what_is_wrong_does_not(kind: str) -> None:
    """A field less, a field more, each field of another type, NaN in place of a number."""
    (example,) = schema(kind)["examples"]
    assert refuse(kind, json.dumps(example)) is None
    for name in schema(kind)["required"]:
        less = {field: value for field, value in example.items() if field != name}
        assert refuse(kind, json.dumps(less)), name
    assert refuse(kind, json.dumps(example | {"surprise": "text"}))
    for name, value in example.items():
        other: object = 7 if isinstance(value, str) else "7"
        assert refuse(kind, json.dumps(example | {name: other})), name
        assert refuse(kind, json.dumps(example | {name: {}})), name
        if not isinstance(value, str | bool | list):
            assert refuse(kind, json.dumps(example | {name: float("nan")})), name
            assert refuse(kind, json.dumps(example | {name: True})), name


@pytest.mark.parametrize("time", ["2026-13-01T00:00:00Z", "2026-01-01 00:00:00", "now", "2026"])
def test_a_time_is_a_time(time: str) -> None:
    """The format is checked, not only the pattern."""
    (example,) = schema("score")["examples"]
    assert refuse("score", json.dumps(example | {"time": time}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_says_what_it_is(kind: str) -> None:
    """It is a schema of the draft it names, has a name of its own, and tells of every field."""
    one = schema(kind)
    Draft202012Validator.check_schema(one)
    assert one["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert one["$id"] == f"urn:streamcell:record:{kind}"
    assert one["title"]
    assert one["description"]
    assert [name for name, field in one["properties"].items() if not field["description"]] == []
    if kind not in LETTERS:
        assert one["properties"]["type"]["const"] == kind


def test_what_all_records_have_is_the_same_in_all() -> None:
    """But for what a stream is."""
    ids = {json.dumps(schema(kind)["properties"]["id"]) for kind in set(KINDS) - LETTERS}
    times = {json.dumps(schema(kind)["properties"]["time"]) for kind in set(KINDS) - LETTERS}
    assert (len(ids), len(times)) == (1, 1)


def test_every_kind_that_is_made_has_a_schema() -> None:
    """What is named where records are made, and what the assembly calls an event."""
    made = {kind for path in python_files("pipeline") for kind in kinds_made(path)}
    assert made == set(KINDS) - LETTERS
    assert made >= assemble_model.EVENTS


def kinds_made(path: Path) -> list[str]:
    """The first argument of each call that makes records, in one file."""
    calls = [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr == "records")
            or (isinstance(node.func, ast.Name) and node.func.id == "outputs")
        )
        and not (path.name == "outputs.py" and ast.unparse(node.args[0]) == "kind")
    ]
    return [named(node.args[0], path) for node in calls]


def named(node: ast.expr, path: Path) -> str:
    """A text, or the constant of that name in this file or where it comes from."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.Name), f"{path}:{node.lineno}: which kind is that?"
    for other in ast.walk(tree(path)):
        if isinstance(other, ast.ImportFrom) and any(one.name == node.id for one in other.names):
            return named(node, Path(f"{(other.module or '').replace('.', '/')}.py"))
    for line in tree(path).body:
        match line:
            case ast.Assign(targets=[ast.Name(id=node.id)], value=value):
                return named(value, path)
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for name, value in zip(names, values, strict=True):
                    if ast.unparse(name) == node.id:
                        return named(value, path)
            case ast.AnnAssign(target=ast.Name(id=node.id), value=ast.Constant(value=value)):
                return str(value)
    raise AssertionError(f"{path}: no constant {node.id}")


def test_the_causes_are_those_of_the_code() -> None:
    """Of decoding, of the order of rows, and of the page."""
    causes = {*CAUSES, "late", "duplicate"}
    for kind in LETTERS:
        assert set(schema(kind)["properties"]["cause"]["enum"]) == causes
    page = (REPOSITORY / "docs" / "formats.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"^\| `cause` \| a fixed word: (.*) \|$", page, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", told)) == causes


def test_documented_records_fit() -> None:
    """Every output in a JSON block of the pages, and every type has one in formats.md."""
    shown: dict[str, int] = {}
    for page in sorted((REPOSITORY / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                record = json.loads(line)
                kind = record.get("type") or ("dead-letter-line" if "cause" in record else None)
                if kind is not None:
                    assert refuse(kind, line) is None, f"{page.name}: {refuse(kind, line)}"
                    shown[kind] = shown.get(kind, 0) + 1
    assert set(shown) == set(KINDS) - {"dead-letter-headers"}


def test_a_schema_reads_like_its_records(texts: dict[str, list[str]]) -> None:
    """Its fields are in the order in which they come."""
    for kind, some in texts.items():
        fields = list(schema(kind)["properties"])
        for text in some:
            record = [name for name in json.loads(text) if name in fields]
            assert record == [name for name in fields if name in record], kind
