"""librdkafka's settings for a consumer of rows."""

from __future__ import annotations

from typing import Any

from pipeline.sources.kafka import MAX_POLL_ROWS
from pipeline.sources.kafka_access import Access


def consumer_settings(
    access: Access,
    group: str,
    max_fetch_bytes: int,
    session_timeout_ms: int,
    static_id: str | None,
) -> dict[str, Any]:
    """Where to read and what to commit is the pipeline's to say; the rest is for throughput."""
    static = {} if static_id is None else {"group.instance.id": static_id}
    return access.librdkafka() | {
        "group.id": group,
        **static,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        # Where to read is always said; a position that is gone is a gap, not a fresh start.
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": session_timeout_ms,
        "heartbeat.interval.ms": max(100, min(3000, session_timeout_ms // 3)),
        "max.poll.interval.ms": max(300_000, session_timeout_ms),
        "fetch.max.bytes": max_fetch_bytes,
        "max.partition.fetch.bytes": min(max_fetch_bytes, 4 * 1024 * 1024),
        "queued.max.messages.kbytes": max(1024, max_fetch_bytes // 512),
        # The library would fetch 100,000 ahead, at some 400 bytes each beside the record.
        "queued.min.messages": 4 * MAX_POLL_ROWS,
        "fetch.wait.max.ms": 100,
        "allow.auto.create.topics": False,
        "reconnect.backoff.max.ms": 2000,
        "log_level": 2,  # what matters comes through error_cb
    }
