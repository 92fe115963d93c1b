"""How a pipeline stands, as the live page is told."""

from __future__ import annotations

from typing import TypedDict


class Status(TypedDict, total=False):
    """What the loop tells beside the rows; every call of ``status`` may bring a part of it.

    ``state`` is a word such as ``running`` or ``recovering``, ``threshold`` the score from which
    a row is alarming, ``recovery`` the share of the replay that is done, ``lag`` in records.
    """

    state: str
    model: str
    task: str
    engine: str
    device: str
    guarantee: str
    threshold: float | None
    lag: int
    recovery: float
    live_streams: int
    spilled_streams: int
