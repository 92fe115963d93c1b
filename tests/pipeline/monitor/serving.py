"""A monitor of one pipeline, as tests want it."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from pipeline.monitor.health import Health
from pipeline.monitor.live import LiveView
from pipeline.monitor.members import Member
from pipeline.monitor.server import Monitor


def monitor_of(
    bind: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    *,
    registry: CollectorRegistry,
    health: Callable[[], Health],
    view: LiveView | None = None,
) -> Monitor:
    """It is not started yet; ``registry`` has the pipeline's metrics."""
    member = Member("line", health, registry, view)
    return Monitor(bind, port, token, members=lambda: [member], registry=CollectorRegistry())
