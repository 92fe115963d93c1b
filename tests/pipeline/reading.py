"""What a rig's run came to, in few words."""

from __future__ import annotations

from tests.pipeline.harness import Rig


def totals(rig: Rig) -> list[tuple[bytes, int, float, int]]:
    """Key, offset, sum and count of every score, by offset."""
    return sorted(
        ((r["key"], r["offset"], r["total"], r["rows"]) for r in rig.output.rows("score")),
        key=lambda one: one[1],
    )


def sample(rig: Rig, name: str, **labels: str) -> float:
    """One metric's value."""
    value = rig.metrics.registry.get_sample_value(
        f"streamcell_{name}", {"pipeline": "test", **labels}
    )
    assert value is not None, name
    return value
