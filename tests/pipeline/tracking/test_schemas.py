"""Tracks and their events fit the published schemas."""

from __future__ import annotations

import json

from tests.pipeline.schemas.judge import refuse
from tests.pipeline.schemas.produced import by_type, tracks
from tests.pipeline.tracking.conftest import Make
from tests.pipeline.tracking.test_lines import MIDDLE


def test_tracks_and_their_events_fit(make: Make) -> None:
    """A walk through a picture, with a crossing and some frames out of sight."""
    made = by_type(tracks(make(lines=[MIDDLE], coast=5)))
    assert set(made) == {"track", "enter", "leave", "cross"}
    for kind, some in made.items():
        assert [why for text in some if (why := refuse(kind, text))] == []
    seen = {json.loads(text)["seen"] for text in made["track"]}
    assert seen == {True, False}  # so the score was null, too
