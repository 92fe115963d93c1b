"""Fixtures of the monitoring tests: the recovery suite's bundle."""

from __future__ import annotations

import pytest

from tests.recovery.conftest import bundle

__all__ = ["bundle"]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """In place of the one that ends processes after each test: here they live for a module."""
