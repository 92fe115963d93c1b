"""The words head with greedy decoding: words, times, endpoints, partial and final results."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from pipeline.block import Float32
from pipeline.heads.speech import speech_head
from tests.pipeline.heads.speech.sounds import (
    BEGIN,
    FRAME_S,
    LETTERS,
    WORDS,
    batch,
    fresh,
    manifest,
    normalised,
    of_kind,
    random_speech,
    rows_of,
    run,
    spell,
)


def test_repeats_collapse_and_blanks_part_them() -> None:
    """Also where a symbol goes on from one chunk into the next."""
    found = run(WORDS, spell("-aaa-abb b----------"))
    (final,) = of_kind(found, "final")
    assert final["text"] == "aab b"
    assert [word["word"] for word in final["words"]] == ["aab", "b"]
    assert final["utterance"] == 0


def test_times_are_frames_less_the_delay() -> None:
    """From the first frame of a word's first symbol to the end of its last one's last frame."""
    settings = WORDS | {"delay_s": 0.02}
    (final,) = of_kind(run(settings, spell("-aab--c-a--- -------"), end=False), "final")
    assert [(word["start_s"], word["end_s"]) for word in final["words"]] == [
        (pytest.approx(1 * FRAME_S - 0.02), pytest.approx(9 * FRAME_S - 0.02))
    ]
    assert (final["start_s"], final["end_s"]) == (0.03, 0.43)
    assert (final["start"] - BEGIN, final["end"] - BEGIN) == (30_000, 430_000)
    (first,) = of_kind(run(settings, spell("a---------")), "final")
    assert first["start_s"] == 0.0  # not before the stream began


def test_times_follow_the_rows_clock() -> None:
    """Seconds count frames; microseconds lie as far before the row's time as the frames do."""
    head = speech_head(manifest(WORDS))
    state = fresh(head, 1)
    log_probs = spell("-ab-").reshape(2, 1, -1)
    for row, y in enumerate(log_probs):
        late = batch([0], row + 100, 2)
        _, state = head.step(late, y, state)
    (final,) = rows_of(head.end(batch([0], 500, 2), state))
    assert (final["start_s"], final["end_s"]) == (0.05, 0.15)
    assert final["end"] == late.time[0] - 50_000  # one blank frame before the last row's end


def test_partials_come_when_the_text_changes() -> None:
    """Not for a pause alone, nor for a symbol that goes on; a final takes the place of the last."""
    found = run(WORDS, spell("-abb b----------"))
    assert [one["text"] for one in of_kind(found, "partial")] == ["a", "ab", "ab b"]
    kinds = [one["kind"] for one in found]
    assert kinds == ["partial", "partial", "partial", "final"]
    second = of_kind(found, "partial")[1]
    assert (second["start_s"], second["end_s"]) == (0.05, 0.2)


def test_an_endpoint_ends_an_utterance() -> None:
    """After ``endpoint_s`` of silence, not before; the next utterance has the next number."""
    found = run(WORDS, spell("ab-----ab------c--------"), end=False)
    finals = of_kind(found, "final")
    assert [(one["text"], one["utterance"]) for one in finals] == [("abab", 0), ("c", 1)]
    partials = of_kind(found, "partial")
    assert [(one["text"], one["utterance"]) for one in partials][-1] == ("c", 1)


def test_a_pause_counts_as_silence() -> None:
    """A model that says " " for long has heard nothing."""
    finals = of_kind(run(WORDS, spell("ab          c -"), frames=1, end=False), "final")
    assert [one["text"] for one in finals] == ["ab"]


def test_silence_alone_says_nothing() -> None:
    """Neither blanks nor pauses make an utterance, whatever follows."""
    found = run(WORDS, spell("----------   -  -  ----------   a---"))
    assert [one["kind"] for one in found] == ["partial", "final"]
    assert found[-1]["utterance"] == 0
    assert found[-1]["start_s"] == pytest.approx(32 * FRAME_S)


def test_an_utterance_is_cut_at_its_longest() -> None:
    """And a symbol that still sounds is not said again in the next one."""
    settings = WORDS | {"max_utterance_s": 0.5}
    finals = of_kind(run(settings, spell("--abcabcabccccab----")), "final")
    assert [one["text"] for one in finals] == ["abcabcabc", "ab"]
    assert finals[0]["end_s"] == pytest.approx(12 * FRAME_S)
    assert finals[1]["start_s"] == pytest.approx(14 * FRAME_S)


def test_an_utterance_is_cut_when_its_room_is_full() -> None:
    """However long it may last: nothing is lost, nothing said twice."""
    settings = WORDS | {"labels": ["", "a", "b"], "separator": " ", "max_utterance_s": 2.0}
    length = 16
    text = "ab" * 50
    finals = of_kind(run(settings, spell(text, ("", "a", "b"))), "final")
    assert [len(one["words"]) for one in finals][:2] == [length, length]
    assert "".join(one["text"].replace(" ", "") for one in finals) == text


def test_several_utterances_end_in_one_chunk() -> None:
    """All are told, in order, and what runs on after them."""
    settings = WORDS | {"endpoint_s": 0.1}
    found = run(settings, spell("a--b--cc----abab", p=0.97), frames=8)
    finals = of_kind(found, "final")
    assert [(one["text"], one["utterance"]) for one in finals] == [
        ("a", 0),
        ("b", 1),
        ("c", 2),
        ("abab", 3),
    ]
    assert [(one["text"], one["utterance"]) for one in of_kind(found, "partial")] == [
        ("c", 2),
        ("abab", 3),
    ]


def test_whole_words_as_labels() -> None:
    """With separator " " each symbol is a word, also the same one twice."""
    labels = ("", "yes", "no")
    settings = WORDS | {"labels": list(labels), "separator": " "}
    posteriors = spell("--------------------", labels)
    for frame, word in ((1, 1), (3, 1), (4, 2), (5, 2)):
        posteriors[frame] = np.log(np.array([0.05, 0.05, 0.05]))
        posteriors[frame, 0, word] = np.log(0.9)
    (final,) = of_kind(run(settings, posteriors), "final")
    assert final["text"] == "yes yes no"
    assert [word["start_s"] for word in final["words"]] == [0.05, 0.15, 0.2]


def test_labels_of_several_letters() -> None:
    """Pieces of words are put together like characters; pauses at either end are no text."""
    labels = ("", " ", "th", "e", "ß")
    settings = WORDS | {"labels": list(labels)}
    symbols = {"t": "th", "e": "e", "s": "ß", "_": " "}
    log_probs = np.concatenate(
        [spell("-", labels)]
        + [
            spell("-", labels) if one == "-" else _frame(labels, symbols[one])
            for one in "_te_-_es_---------"
        ]
        + [spell("-", labels)]
    )
    found = run(settings, log_probs, frames=1)
    assert [one["text"] for one in of_kind(found, "partial")] == ["th", "the", "the e", "the eß"]
    (final,) = of_kind(found, "final")
    assert (final["text"], final["start_s"]) == ("the eß", 0.1)
    assert [word["word"] for word in final["words"]] == ["the", "eß"]


def test_confidence_is_that_of_the_best_frames() -> None:
    """A word's is the geometric mean of its symbols', the utterance's the mean of its words'."""
    posteriors = spell("-aab- c-------------", p=0.9)
    posteriors[2, 0] = np.log(0.02)
    posteriors[2, 0, 2] = np.log(0.9 * 0.9)
    posteriors[3, 0] = np.log(0.02)
    posteriors[3, 0, 3] = np.log(0.4)
    (final,) = of_kind(run(WORDS, posteriors), "final")
    first, second = (word["confidence"] for word in final["words"])
    assert first == pytest.approx(np.sqrt(0.9 * 0.4), abs=2e-4)
    assert second == pytest.approx(0.9, abs=2e-4)
    assert final["confidence"] == pytest.approx((first + second) / 2, abs=2e-4)


@pytest.mark.parametrize("beam", [1, 4])
def test_a_probability_above_one_is_certain(beam: int) -> None:
    """A softmax may be off by rounding; the next number after the highest would be the lowest."""
    sound = spell("-aab--------------")
    best = sound == sound.max(axis=2, keepdims=True)
    sound = np.where(best, np.float32(1e-5), np.float32(-30))
    (final,) = of_kind(run(WORDS | {"beam": beam}, sound), "final")
    assert (final["text"], final["confidence"]) == ("ab", 1.0)


def test_a_closed_gate_is_silence() -> None:
    """What the model puts out behind it means nothing."""
    found = run(WORDS, spell("ab--cd----------"), closed=[2, 3])
    assert [one["text"] for one in of_kind(found, "final")] == ["ab"]


@pytest.mark.parametrize("frames", [1, 2, 5, 10])
def test_random_streams_match_a_plain_decoder(frames: int) -> None:
    """Whatever the chunk's length, and with all streams in one batch."""
    log_probs = random_speech(300, 6, 1)
    found = run(WORDS, log_probs, frames)
    for stream in range(6):
        finals = of_kind(found, "final", f"mic-{stream}")
        best = log_probs[:, stream].argmax(axis=1).tolist()
        collapsed = [symbol for symbol, _ in groupby(best) if symbol]
        text = "".join(LETTERS[symbol] for symbol in collapsed).replace(" ", "")
        assert "".join(one["text"].replace(" ", "") for one in finals) == text
        alone = run(WORDS, log_probs[:, stream : stream + 1], 2)
        assert [one | {"key": ""} for one in finals] == [
            one | {"key": ""} for one in of_kind(alone, "final")
        ]
        assert [one["utterance"] for one in finals] == list(range(len(finals)))


def test_an_ended_stream_without_text_says_nothing() -> None:
    """A pause is no text."""
    assert run(WORDS, spell("-- ---")) == []


def _frame(labels: tuple[str, ...], label: str) -> Float32:
    """One frame that is most likely ``label``."""
    posteriors = np.full((1, 1, len(labels)), 0.02)
    posteriors[0, 0, labels.index(label)] = 0.9
    return normalised(np.log(posteriors))
