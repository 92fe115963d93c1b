"""Fixtures of the command-line tests: brokers and one small bundle."""

from tests.brokers import apache, broker, noida
from tests.recovery.conftest import bundle, nothing_left_behind

__all__ = ["apache", "broker", "bundle", "noida", "nothing_left_behind"]
