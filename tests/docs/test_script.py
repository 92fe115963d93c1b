"""The runner of pages itself: it must see what is wrong."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.docs.pages import ODD, blocks
from tests.docs.script import run_page, unlike


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with a page of this text."""
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    run = folder / "run"
    run.mkdir()
    return run_page(blocks(page), run)


def test_a_page_that_works_has_no_problems(tmp_path: Path) -> None:
    """Variables, folders and files go from block to block."""
    page = """
```toml file=deep/a.toml
name = "it's $HOME"
```
```sh
cd deep; NAME=$(wc -l < a.toml)
```
```text
```
- in a list:
  ```python
  from pathlib import Path
  assert "$HOME" in Path("a.toml").read_text()
  print("made of", 1, "line")
  ```
  ```text
  made …line
  ```
```sh norun: it fails
false
```
```sh
test "$NAME" = 1; echo one; echo two; echo three
```
```text
one
t…ree
```
"""
    assert problems(tmp_path, page) == []


@pytest.mark.parametrize(
    "command",
    ["false\necho on", "false | cat", "echo $UNKNOWN", "streamcell check missing.toml", "exit 0"],
)
def test_a_command_that_fails_is_seen(command: str, tmp_path: Path) -> None:
    """With its place; commands after it are not run."""
    page = f"text\n\n```sh\necho fine\n```\n\n```sh\n{command}\n```\n\n```sh\ntouch on\n```\n"
    (problem,) = problems(tmp_path, page)
    assert problem.startswith("page.md:8: the block ended with ")
    assert not (tmp_path / "run" / "on").exists()


def test_other_output_is_seen(tmp_path: Path) -> None:
    """With the first line that does not come."""
    (problem,) = problems(tmp_path, "```sh\necho one\n```\n\n```text\none\ntwo\n```\n")
    assert "['two']" in problem


def test_output_is_compared_in_order() -> None:
    """Other lines may stand between, and spaces do not matter."""
    assert unlike("a … c\n…\ny\nz", "x\na   b c\ny\nz\n") == []
    assert unlike("b\na", "a\nb\n") == ["a"]
    assert unlike("a", "ab\n") == ["a"]


def test_what_runs_in_the_background_is_ended(tmp_path: Path) -> None:
    """Also where it ignores what it is told."""
    page = "```sh\n(trap '' TERM; sleep 300) & echo $! > pid\n```\n"
    assert problems(tmp_path, page) == []
    pid = int((tmp_path / "run" / "pid").read_text())
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_fence_that_says_nonsense_is_noticed(tmp_path: Path) -> None:
    """A misspelt word would have the block passed over."""
    page = tmp_path / "page.md"
    page.write_text("```sh no-run: why\nfalse\n```\n```sh norun: why so\nfalse\n```\n")
    odd, idle = blocks(page)
    assert odd.language == ODD
    assert (idle.language, idle.norun, idle.runs) == ("sh", "why so", False)
