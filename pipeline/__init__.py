"""The streaming runtime: sources, rounds, slot pool, engine, head, sinks, snapshots."""

__version__ = "0.1.0"
