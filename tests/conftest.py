"""Fixtures of all tests: real brokers, started when the first test asks for one."""

from __future__ import annotations

import pytest

from tests.brokers import apache, broker, noida

__all__ = ["apache", "broker", "noida"]


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for the way kafka-python reads its own files."""
    config.addinivalue_line(
        "filterwarnings",
        "ignore:(read|open)_text is deprecated:DeprecationWarning",
    )
