"""The samples of web servers in front of the live page keep to this side what needs no token."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import PAGES, Block, blocks

SAMPLES = [
    block
    for page in PAGES
    for block in blocks(page)
    if re.search("reverse_proxy|proxy_pass", block.body)
]
CLOSED = (
    re.compile(r"@open path (.+)\n\s+respond @open 403"),
    re.compile(r"location ~ \^/\((.+)\)\$ { deny all; }"),
)


def test_there_are_samples() -> None:
    """Of both web servers, on both pages."""
    assert len(SAMPLES) == 4


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.place)
def test_health_and_metrics_are_denied(sample: Block) -> None:
    """All three; the live page needs the token anyway."""
    (denied,) = [found[1] for pattern in CLOSED if (found := pattern.search(sample.body))]
    assert set(re.findall(r"\w+", denied)) == {"metrics", "healthz", "readyz"}
