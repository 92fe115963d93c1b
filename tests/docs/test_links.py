"""Links lead somewhere, and every page can be reached from the README."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import PAGES, README, name_of, prose

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


def links(page: Path) -> list[tuple[Path, str]]:
    """A page's links within the repository: file, and anchor or nothing."""
    found = []
    for target in LINK.findall(prose(page)):
        path, _, anchor = target.partition("#")
        found.append(((page.parent / unquote(path)).resolve() if path else page, anchor))
    return found


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = NOT_IN_ANCHORS.sub("", text.strip().lower()).replace(" ", "-")
        times = found[slug] = found.get(slug, -1) + 1
        if times:
            found[f"{slug}-{times}"] = 0
    return set(found)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Files and folders are there, and headings of pages."""
    for path, anchor in links(page):
        assert path.exists(), path
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), f"{name_of(path)}#{anchor}"


def test_every_page_can_be_reached() -> None:
    """From the README, over as many pages as it takes."""
    reached, new = {README}, [README]
    while new:
        found = {path for path, _ in links(new.pop()) if path in PAGES} - reached
        reached |= found
        new += found
    assert [name_of(page) for page in PAGES if page not in reached] == []


def test_a_heading_has_the_anchor_that_github_gives_it(tmp_path: Path) -> None:
    """Code and punctuation go, spaces are hyphens, repetitions are numbered."""
    page = tmp_path / "page.md"
    page.write_text("# `block`: many rows, of 2\n```sh\n# no heading\n```\n## A\n## A\n")
    assert anchors(page) == {"block-many-rows-of-2", "a", "a-1"}
