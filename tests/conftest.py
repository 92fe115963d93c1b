"""Fixtures of all tests: real brokers, started when the first test asks for one."""

from tests.brokers import apache, broker, noida

__all__ = ["apache", "broker", "noida"]
