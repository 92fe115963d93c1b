"""Every page's commands, run as a reader would: from its top to its end, in an empty folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.docs.pages import ODD, PAGES, Block, blocks, name_of, shell_blocks
from tests.docs.script import run_page
from tests.shared import missing

LEAST_SHARE = 0.4  # of the shell blocks are run
# What looks like commands and would be passed over.
OTHER_SHELLS = {"bash", "shell", "console", "zsh", "shellsession"}


def to_run() -> Iterator[ParameterSet]:
    """The pages with something to run; long ones are marked so."""
    for page in PAGES:
        found = blocks(page)
        marks = [pytest.mark.slow] if any(block.slow for block in found) else []
        if any(block.runs for block in found):
            yield pytest.param(page, marks=marks, id=name_of(page))


@pytest.mark.parametrize("page", [*to_run()])
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    """Each block ends well and prints what is shown."""
    found = blocks(page)
    for block in found:
        if block.needs and shutil.which(block.needs) is None:
            missing(f"{block.place} needs {block.needs}")
    problems = "\n".join(run_page(found, tmp_path))
    assert not problems, problems


def test_commands_that_are_not_run_have_a_reason() -> None:
    """And they are the smaller part; ``python -m tests.docs`` lists them."""
    found = shell_blocks()
    idle = [block for block in found if block.norun]
    assert [block.place for block in idle if len(block.norun.split()) < 2] == []
    assert len(idle) <= (1 - LEAST_SHARE) * len(found), [block.place for block in idle]


def test_fences_say_what_is_known() -> None:
    """A misspelt ``norun`` or another language would have a block passed over."""
    assert [one.place for page in PAGES for one in blocks(page) if one.language == ODD] == []


def test_commands_stand_where_they_are_run() -> None:
    """Not in blocks of another name, without one, or indented."""
    wrong = [
        block.place
        for page in PAGES
        for block in blocks(page)
        if block.language in OTHER_SHELLS
        or (
            not block.language
            and any(line.lstrip("$ ").startswith(("streamcell ", "make ")) for line in lines(block))
        )
    ]
    assert wrong == []


def lines(block: Block) -> list[str]:
    """The lines of a block."""
    return block.body.splitlines()
