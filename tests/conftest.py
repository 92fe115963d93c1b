"""Fixtures of all tests: real brokers, started when the first test asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.brokers import apache, broker, noida
from tests.logging_state import logging_restored
from tests.mosquitto import mosquitto

__all__ = ["apache", "broker", "mosquitto", "noida"]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Commands that are called in this process configure its logging."""
    with logging_restored():
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for what kafka-python does inside of itself."""
    for ignored in (
        "(read|open)_text is deprecated:DeprecationWarning",  # how it reads its own files
        "unclosed <(socket|ssl):ResourceWarning",  # connections that a broker did not take
    ):
        config.addinivalue_line("filterwarnings", f"ignore:{ignored}")
