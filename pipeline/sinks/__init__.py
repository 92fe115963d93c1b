"""Sinks: where outputs go."""
