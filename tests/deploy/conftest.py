"""Fixtures of the command-line tests: those of the recovery suite."""

from tests.recovery.conftest import bundle, nothing_left_behind

__all__ = ["bundle", "nothing_left_behind"]
