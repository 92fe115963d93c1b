"""All pipelines of the process side by side: how each stands, and what it does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pipeline.logs import masked_start
from pipeline.monitor.cursor import Cursor
from pipeline.monitor.members import Member, Members
from pipeline.monitor.status import Status


class Overview:
    """What one viewer of the overview gets: first everything that is kept, then what is new."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._cursors: dict[str, Cursor] = {}  # by the pipeline's name

    def changes(self) -> dict[str, Any]:
        """A card for each pipeline, in the order of the file; ``time`` in ms since 1970."""
        members = self._members()
        before, self._cursors = self._cursors, {}
        cards = []
        for member in members:
            card = standing(member)
            cursor = self._cursors[member.name] = before.get(member.name, Cursor())
            if member.view is not None:
                card["view"] = member.view.summary(cursor)
            cards.append(card)
        return {"time": int(time.time() * 1000), "pipelines": cards}


def standing(member: Member) -> dict[str, Any]:
    """How one pipeline stands: with the process, in its loop, and why it is not ready."""
    health, condition = member.health(), member.condition
    status: Status = {} if member.view is None else member.view.stands
    return {
        "name": member.name,
        "state": condition.state,
        "failure": masked_start(condition.failure),
        "restarts": condition.restarts,
        "retry_s": round(condition.retry_s, 1),
        "loop": status.get("state", "starting"),
        "recovery": status.get("recovery"),
        "waiting": [masked_start(one) for one in (*health.faults(), *health.waiting)],
    }


def crew(members: Sequence[Member]) -> dict[str, Any]:
    """All pipelines as the page lists them beside the one that it shows."""
    return {"pipelines": [standing(member) for member in members]}
