"""A test that configures logging changes nothing for the tests after it in its process."""

from __future__ import annotations

import io
import logging

import structlog
from structlog.testing import capture_logs

from pipeline.logs import configure_logs
from tests.logging_state import logging_restored


def test_a_level_that_one_test_sets_is_not_the_next_ones() -> None:
    """Also not where it hushed what the next one wants to see."""
    before = logging.getLogger().handlers[:]
    with logging_restored():
        configure_logs("error", "json", io.StringIO())
        with capture_logs() as hushed:
            structlog.get_logger("pipeline").info("one")
        assert not hushed
    with capture_logs() as logs:
        structlog.get_logger("pipeline").info("two")
    assert [entry["event"] for entry in logs] == ["two"]
    assert logging.getLogger().handlers == before
