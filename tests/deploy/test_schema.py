"""``streamcell schema``: the list of records, and one schema as it is."""

from __future__ import annotations

from typer.testing import CliRunner

from deploy.cli import app
from pipeline.schemas import KINDS, schema_text


def test_all_kinds_are_listed() -> None:
    """A line each, with what it is."""
    result = CliRunner().invoke(app, ["schema"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert [line.split()[0] for line in lines] == [*KINDS]
    assert lines[KINDS.index("final")].endswith("  Words of an utterance")


def test_a_schema_is_printed_as_it_is() -> None:
    """To be kept in a file."""
    result = CliRunner().invoke(app, ["schema", "alarm"])
    assert (result.exit_code, result.output) == (0, schema_text("alarm"))


def test_an_unknown_kind_is_refused() -> None:
    """With those that there are."""
    result = CliRunner().invoke(app, ["schema", "alarms"])
    assert result.exit_code == 2
    assert "alarms" in result.output
    assert "keyword" in result.output
