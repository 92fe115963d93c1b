"""The command line as a whole: what there is, and what a subcommand does without."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
from typer.testing import CliRunner

from deploy.cli import COMMANDS, app
from tests.shared import REPOSITORY

# What `streamcell run` and `service` have no use for; rich comes with the logs' library.
NEVER = ("torch", "onnx", "onnxscript", "polars", "matplotlib", "trainer", "export", "deploy.demo")

LOADED = """
import sys
from deploy.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == {code}, end.code
print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def loaded(code: int, *words: str) -> set[str]:
    """The modules that ``streamcell`` with these words has in the end; it exits with ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(code=code), *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name for name in done.stderr.split() if "." in name or name.isidentifier()}


def test_the_help_lists_every_subcommand_with_its_own_first_words() -> None:
    """In the order of the list."""
    shown = CliRunner().invoke(app, ["--help"], terminal_width=200).output
    places = []
    for name in COMMANDS:
        module = import_module(f"deploy.commands.{name}")
        group = getattr(module, "app", None)
        told = group.info.help if group is not None else getattr(module, name).__doc__
        first = " ".join(told.split()[:4])
        assert first in " ".join(shown.split()), name
        places.append(shown.index(first))
    assert places == sorted(places)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_subcommand_has_a_help_of_its_own(name: str) -> None:
    """Under its own name, without options for the shell."""
    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0
    assert f" {name} " in done.output
    assert "completion" not in done.output


def test_a_mistyped_subcommand_is_answered_with_a_close_one() -> None:
    """Also where none has been imported yet."""
    done = CliRunner().invoke(app, ["evalute"])
    assert done.exit_code == 2
    assert "'evaluate'" in done.output


def test_printing_the_version_imports_no_subcommand() -> None:
    """It is what scripts ask."""
    modules = loaded(0, "--version")
    assert not {f"deploy.commands.{name}" for name in COMMANDS} & modules
    assert "numpy" not in modules


@pytest.mark.parametrize("words", [("run", "no.toml"), ("check", "no.toml"), ("service", "status")])
def test_running_imports_nothing_of_training(words: tuple[str, ...]) -> None:
    """Nor the other subcommands."""
    code = 1 if words[0] == "service" else 2
    modules = loaded(code, *words)
    assert f"deploy.commands.{words[0]}" in modules
    others = {f"deploy.commands.{name}" for name in COMMANDS if name != words[0]}
    assert not (others | set(NEVER)) & modules
