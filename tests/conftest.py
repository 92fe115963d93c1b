"""Fixtures of all tests: real brokers, started when the first test asks for one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.brokers import apache, broker, noida
from tests.logging_state import logging_restored
from tests.made import share
from tests.mosquitto import mosquitto

__all__ = ["apache", "broker", "mosquitto", "noida"]


@pytest.fixture(scope="session", autouse=True)
def _files_made_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each worker of a run has a folder of its own in the run's."""
    base = tmp_path_factory.getbasetemp()
    share(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Commands that are called in this process configure its logging."""
    with logging_restored():
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for what kafka-python does inside of itself."""
    # Workers share the machine: on models this small more threads wait longer than they work.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for ignored in (
        "(read|open)_text is deprecated:DeprecationWarning",  # how it reads its own files
        "unclosed <(socket|ssl):ResourceWarning",  # connections that a broker did not take
    ):
        config.addinivalue_line("filterwarnings", f"ignore:{ignored}")
