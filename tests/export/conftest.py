"""Exports are many here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.exporter import operators_read_once


@pytest.fixture(scope="session", autouse=True)
def _quick_exports() -> Iterator[None]:
    with operators_read_once():
        yield
