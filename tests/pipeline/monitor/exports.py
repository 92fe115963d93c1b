"""What a process exports beside its pipelines' own metrics, made up for tests."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from pipeline.monitor.health import Health
from pipeline.monitor.members import Condition, Member
from pipeline.monitor.process_metrics import PipelineStates, Reloads


def member(name: str, condition: Condition) -> Member:
    """A pipeline that stands so with its process."""
    return Member(name, lambda: Health(0.0), condition=condition)


def process_exports(*members: Member) -> CollectorRegistry:
    """A registry in which each reading of the configuration went well."""
    registry = CollectorRegistry()
    PipelineStates(lambda: members or [member("line", Condition())], registry)
    Reloads(registry).read(well=True)
    return registry
