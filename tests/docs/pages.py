"""The pages and their fenced blocks.

The word after a block's fence is its language, and says what becomes of it:

- ``sh`` is run, ``sh norun: REASON`` is not; ``sh needs: PROGRAM`` skips its page without that,
  and ``sh slow`` leaves its page to the long tests.
- ``python`` is run. ``python file=NAME`` and ``toml file=NAME`` are written to a file instead, as
  the reader is told to.
- ``text`` right after a block is what that prints, line by line; ``…`` stands for anything.
- ``toml`` with a ``[[pipeline]]`` must be a configuration; other ``toml``, ``json`` and ``yaml``
  must parse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.shared import REPOSITORY

README = REPOSITORY / "README.md"
ODD = "?"  # the language of a fence that says none of the above
PAGES = [README, *sorted((REPOSITORY / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_INFO = re.compile(
    r"(?P<language>\w*)( (?P<slow>slow)| (?P<key>norun|needs|file)(: |=)(?P<value>.+))?"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; ``norun``, ``needs`` and ``file`` are what its fence says, or empty."""

    page: Path
    line: int  # of its first line of content
    language: str
    body: str
    norun: str = ""
    needs: str = ""
    file: str = ""
    slow: bool = False
    after: bool = False  # nothing stands between it and the block before

    @property
    def runs(self) -> bool:
        """Whether it is a part of its page's script."""
        runnable = self.language in ("sh", "python") and not self.norun
        return runnable or bool(self.file)

    @property
    def place(self) -> str:
        """``docs/audio.md:26``."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """A page's path in the repository."""
    return page.relative_to(REPOSITORY).as_posix() if page.is_relative_to(REPOSITORY) else page.name


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for fence in _FENCE.finditer(text):
        line = text[: fence.start("body")].count("\n") + 1
        info = _INFO.fullmatch(fence["info"])
        body = re.sub(rf"^{fence['indent']}", "", fence["body"], flags=re.MULTILINE)
        after = bool(found) and not text[end : fence.start()].strip()
        if info is None:
            found.append(Block(page, line, ODD, body, after=after))
        else:
            slow = info["slow"] is not None
            said = {info["key"]: info["value"].strip()} if info["key"] else {}
            found.append(Block(page, line, info["language"], body, slow=slow, after=after, **said))
        end = fence.end()
    return found


def shell_blocks() -> list[Block]:
    """The blocks of commands of all pages."""
    return [block for page in PAGES for block in blocks(page) if block.language == "sh"]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))
