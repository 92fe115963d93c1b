"""What the live page is told of a speech pipeline."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from pipeline.block import Batch, Records
from pipeline.manifest import Feature
from pipeline.monitor.cursor import Cursor
from pipeline.monitor.hearing import HEARD, MAX_TEXT, RUNNING, SILENCE_DB, Hearing, levels
from pipeline.monitor.live import LOOK_BYTES, LiveView
from tests.pipeline.monitor.callers import CHUNK_S, FEATURES, Callers, Form, view_of
from tests.pipeline.monitor.plant import batch_of

BEGIN_S = 1_700_000_000.0


def told(view: LiveView, cursor: Cursor, focus: str | None = None) -> dict[str, Any]:
    """A message as the browser gets it."""
    found = orjson.dumps(view.changes(cursor, focus), option=orjson.OPT_SERIALIZE_NUMPY)
    return orjson.loads(found)  # type: ignore[no-any-return]  # a JSON object


def run(view: LiveView, callers: Callers, rows: int) -> list[Records]:
    """Feed rows; all that the head heard in them."""
    found = []
    for _ in range(rows):
        batch, records = callers.step(BEGIN_S + callers.rows * CHUNK_S)
        view.observe(batch, records)
        found += records
    return found


def quiet(form: Form, count: int = 3) -> Callers:
    """Callers that say nothing by themselves."""
    callers = Callers(form, count)
    callers._script = [[0] * 4000 for _ in range(count)]
    return callers


def final(batch: Batch, text: str, utterance: int = 0) -> Records:
    """One utterance that every stream of a batch said."""
    n = len(batch)
    return batch.records(
        "final",
        slice(None),
        text=np.array([text] * n, np.object_),
        utterance=np.full(n, utterance, np.int32),
        start=batch.time - 900_000,
        end=batch.time - 100_000,
        confidence=np.full(n, 0.5, np.float32),
    )


def partial(batch: Batch, text: str, utterance: int = 0) -> Records:
    """The same while it goes on."""
    n = len(batch)
    return batch.records(
        "partial",
        slice(None),
        text=np.array([text] * n, np.object_),
        utterance=np.full(n, utterance, np.int32),
    )


@pytest.mark.parametrize(
    ("running", "ended", "gone"),
    [
        ((9, 1), (8, 1), True),  # seconds and utterance: clocks may be set back
        ((9, 0), (8, 1), True),
        ((9, 2), (9, 1), False),  # the row that ended one began the next
        ((9, 2), (10, 0), True),  # the stream began anew
    ],
)
def test_a_final_ends_the_text_of_its_utterance(
    running: tuple[int, int], ended: tuple[int, int], gone: bool
) -> None:
    """Whatever their times; where the utterance is another, the times tell."""
    hearing, (time, utterance) = Hearing("words"), running
    rows = batch_of([b"s"], np.zeros((1, 1), np.float32), 0)
    rows = replace(rows, time=np.full(1, time * 1_000_000))
    hearing.keep(partial(rows, "so far", utterance), storm=False)
    key = b"s"
    assert hearing.read(0, {key})["running"]
    time, utterance = ended
    rows = replace(rows, time=np.full(1, time * 1_000_000))
    hearing.keep(final(rows, "said", utterance), storm=False)
    assert (not hearing.read(0, {key})["running"]) is gone


def test_levels_are_those_of_the_sound() -> None:
    """RMS and peak of full scale, of silence, of a row that is not full."""
    time = np.arange(1280) / 8000
    sine = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    short = np.where(np.arange(1280) < 640, sine / 10, np.nan).astype(np.float32)
    square = np.full(1280, -1.0, np.float32)
    found = levels(np.stack([sine, short, square, np.zeros(1280, np.float32)]))
    np.testing.assert_allclose(found[0], [-3.01, 0.0], atol=0.01)
    np.testing.assert_allclose(found[1], [-23.01, -20.0], atol=0.01)
    np.testing.assert_allclose(found[2], [0.0, 0.0], atol=0.01)
    np.testing.assert_allclose(found[3], [SILENCE_DB, SILENCE_DB], atol=0.01)


@pytest.mark.parametrize("form", ["words", "keywords"])
def test_the_first_message_says_what_is_heard(form: Form) -> None:
    """The form, and levels as the features in place of samples; a level in each point."""
    view, callers = view_of(form), Callers(form)
    run(view, callers, 3)
    first = told(view, Cursor(), "hall-1/mic-2")
    assert first["speech"] == {"form": form, "sound": True, "silence_db": SILENCE_DB}
    assert [feature["name"] for feature in first["features"]] == ["level", "peak"]
    assert [len(row) for row in first["focus"]["v"]] == [2, 2, 2]
    assert all(SILENCE_DB <= rms < peak <= 0 for rms, peak in first["focus"]["v"])
    (loudness,) = (one["value"] for one in first["streams"] if one["key"] == "hall-1/mic-1")
    assert -70 < loudness < 0  # the row that ends with NaN has one too
    assert told(LiveView("line", FEATURES), Cursor())["speech"] is None


def test_words_run_and_end() -> None:
    """The running text grows and makes room for the utterance; each is told once."""
    view, callers, cursor = view_of("words"), quiet("words"), Cursor()
    run(view, callers, 1)
    assert told(view, cursor)["running"] == {}
    callers.say(1, "who is there")
    run(view, callers, 3)
    assert told(view, cursor)["running"] == {"hall-1/mic-2": "who is"}
    run(view, callers, 3)
    change = told(view, cursor)
    assert change["running"] == {"hall-1/mic-2": "who is there"}
    assert change["heard"] == []
    records = run(view, callers, 8)
    (said,) = [some for some in records if some.kind == "final"]
    change = told(view, cursor)
    assert change["running"] == {}
    (one,) = change["heard"]
    assert (one["key"], one["text"]) == ("hall-1/mic-2", "who is there")
    assert one["start"] * 1000 == pytest.approx(said.columns["start"][0], abs=1000)
    assert one["end"] - one["start"] == pytest.approx(0.92e3, abs=41)
    assert 0.7 < one["score"] < 0.95
    assert told(view, cursor)["heard"] == []
    assert told(view, cursor)["status"]["heard_total"] == 1
    assert len(told(view, Cursor())["heard"]) == 1


def test_keywords_come_with_their_score() -> None:
    """And their stream is watched from then on."""
    view, callers, cursor = view_of("keywords"), quiet("keywords", 12), Cursor()
    callers.say(7, "stop")
    run(view, callers, 8)
    change = told(view, cursor, "hall-2/mic-4")
    (one,) = change["heard"]
    assert (one["key"], one["text"]) == ("hall-2/mic-4", "stop")
    assert one["score"] > 0.7
    assert change["running"] == {}
    assert sum(change["seconds"]["events"]) <= 1
    assert "hall-2/mic-4" in {stream["key"] for stream in change["streams"]}


def test_what_ended_and_went_on_in_one_row_is_told_right() -> None:
    """A final ends its utterance, not the one after it; a withdrawn text is gone."""
    view = view_of("words")
    sound = np.zeros((2, 80), np.float32)
    batch = batch_of([b"a", b"b"], sound, 10_000_000)
    view.observe(batch, [partial(batch, "one")])
    cursor = Cursor()
    assert told(view, cursor)["running"] == {"a": "one", "b": "one"}
    later = batch_of([b"a", b"b"], sound, 11_000_000)
    first = later.rows(np.array([0]))
    view.observe(later, [final(later, "one two"), partial(first, "three", 1)])
    change = told(view, cursor)
    assert change["running"] == {"a": "three"}
    assert [one["text"] for one in change["heard"]] == ["one two", "one two"]
    last = batch_of([b"a"], sound[:1], 12_000_000)
    view.observe(last, [partial(last, "", 1)])
    assert told(view, cursor)["running"] == {}


def test_memory_is_bounded_without_a_viewer() -> None:
    """Of any number of records the latest remain, and long texts are cut."""
    hearing = Hearing("words")
    keys = [b"%d" % at for at in range(50)]
    for turn in range(60):
        batch = batch_of(keys, np.zeros((50, 8), np.float32), turn * 1_000_000)
        hearing.keep(partial(batch, "x" * 5000), storm=False)
        hearing.keep(final(batch, f"{turn} " + "y" * 5000), storm=False)
    assert sum(len(records) for _, records in hearing._inbox) <= HEARD + 50
    assert sum(len(records) for _, records in hearing._partials) <= RUNNING
    found = hearing.read(0, keys)
    assert len(found["heard"]) == HEARD
    assert {one["text"] for one in found["heard"]} == {"y" * MAX_TEXT}
    assert found["running"] == {}
    assert hearing.total == 60 * 50
    hearing.keep(partial(batch, "x" * 5000, 1), storm=False)
    assert hearing.read(hearing.last, keys[:3])["running"] == dict.fromkeys(
        ("0", "1", "2"), "x" * MAX_TEXT
    )
    assert hearing.read(hearing.last, [])["running"] == {}


def test_replayed_utterances_are_not_counted() -> None:
    """They were heard before the restart."""
    hearing = Hearing("words")
    batch = batch_of([b"a"], np.zeros((1, 8), np.float32), 5_000_000, live=False)
    assert hearing.keep(final(batch, "again"), storm=False) == (0, [b"a"])
    assert hearing.total == 0


def test_sound_does_not_pile_up() -> None:
    """What waits to be looked through is bounded in bytes, however long the rows are."""
    view = view_of("words")
    view._next_look_s = float("inf")
    sound = np.zeros((4, LOOK_BYTES // 64), np.float32)
    most = 0
    for turn in range(20):
        view.observe(batch_of([b"a", b"b", b"c", b"d"], sound, turn * 1_000_000), [])
        most = max(most, len(view._pending))
    assert 0 < most <= 4


def test_features_that_were_made_of_sound_are_shown_as_they_are() -> None:
    """A bundle without samples has no level."""
    features = (Feature(name="frame0.c0"), Feature(name="frame0.c1"))
    view = LiveView("an4", features, budget=1e9, hearing=Hearing("words", sound=False))
    batch = batch_of([b"a"], np.array([[3.0, 4.0]], np.float32), int(BEGIN_S * 1e6))
    view.observe(batch, [final(batch, "yes")])
    change = told(view, Cursor(), "a")
    assert change["features"][0]["name"] == "frame0.c0"
    assert change["focus"]["v"] == [[3.0, 4.0]]
    assert change["speech"]["sound"] is False
    assert change["heard"][0]["text"] == "yes"


def test_a_view_of_another_task_ignores_speech() -> None:
    """Records of kinds that it does not know do no harm."""
    view = LiveView("line", FEATURES, budget=1e9)
    batch = batch_of([b"a"], np.zeros((1, 1), np.float32), 5_000_000)
    view.observe(batch, [final(batch, "yes")])
    assert "heard" not in told(view, Cursor())
