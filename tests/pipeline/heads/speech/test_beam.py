"""The words head with a beam: the same as a search with dictionaries, whatever the batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.block import Float32
from pipeline.heads.speech import speech_head
from pipeline.heads.speech.language import LanguageModel, read_language_model
from tests.pipeline.heads.speech.plain_beam import PlainBeam, Prefix
from tests.pipeline.heads.speech.sounds import (
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

WHOLE: dict[str, Any] = {
    "endpoint_s": 60.0,
    "max_utterance_s": 60.0,
}  # nothing ends before its stream


def beam(width: int, symbols: int = 8, **changes: Any) -> dict[str, Any]:
    """The parameters of a beam search."""
    return WORDS | {"beam": width, "beam_symbols": symbols} | changes


def model(seed: int = 0, states: int = 7, symbols: int = len(LETTERS)) -> LanguageModel:
    """A language model that means nothing: random tables."""
    rng = np.random.default_rng(seed)
    odds = rng.gamma(0.5, size=(states, symbols)) + 1e-3
    log_probs = np.log(odds / odds.sum(axis=1, keepdims=True)).astype("f2").astype(np.float32)
    following = rng.integers(0, states, (states, symbols)).astype(np.int32)
    return LanguageModel(log_probs, following, start=2, order=3)


def text_of(prefix: Prefix) -> str:
    """The words of a prefix."""
    return " ".join("".join(LETTERS[symbol] for symbol in prefix).split())


def undecided(frames: int, streams: int, seed: int) -> Float32:
    """Frames that leave much open, so that prefixes merge and ranks change."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.2, (frames, streams, len(LETTERS)))
    logits[rng.random((frames, streams)) < 0.15, 0] += 12.0
    return normalised(logits)


@pytest.mark.parametrize(
    ("width", "symbols", "with_model"),
    [(2, 2, False), (4, 3, False), (8, 8, False), (4, 3, True), (8, 5, True)],
)
def test_it_is_the_search_with_dictionaries(width: int, symbols: int, with_model: bool) -> None:
    """Hypotheses, their scores and the best text after every frame, and the final text."""
    lm = model() if with_model else None
    weight, bonus = (0.7, 0.4) if with_model else (0.0, 0.0)
    settings = beam(width, symbols, lm_weight=weight, insertion_bonus=bonus, **WHOLE)
    settings["lm"] = None if lm is None else lm.packed()
    head = speech_head(manifest(settings, 1))
    streams = 6
    log_probs = undecided(45, streams, 7)
    plain = [PlainBeam(width, symbols, lm, weight, bonus) for _ in range(streams)]
    state = fresh(head, streams)
    for row, frame in enumerate(log_probs):
        _, state = head.step(batch(range(streams), row, 1), frame, state)
        for stream, reference in enumerate(plain):
            reference.step(frame[stream])
            mine = state[stream]
            score = np.logaddexp(mine["blank"], mine["spoken"]) + mine["prior"]
            known = np.flatnonzero(score > -np.inf)
            found = [
                tuple(mine["tokens"][place, : mine["length"][place], 0].tolist())
                for place in known.tolist()
            ]
            wanted = {
                prefix: np.logaddexp(*sound) + reference.prior(prefix)
                for prefix, sound in reference.beams.items()
            }
            assert set(found) == set(wanted)
            assert found[0] == reference.best()
            theirs = np.array([wanted[prefix] for prefix in found])
            np.testing.assert_allclose(score[known] - score[0], theirs - theirs[0], atol=1e-6)
    finals = rows_of(head.end(batch(range(streams), 45, 1), state))
    assert [one["text"] for one in finals] == [text_of(one.whole()) for one in plain]


@pytest.mark.parametrize("frames", [1, 3, 10])
def test_neither_batch_nor_chunk_changes_a_stream(frames: int) -> None:
    """Finals with all that is in them; partials only come less often."""
    settings = beam(6, 4, lm=model().packed(), lm_weight=0.5)
    log_probs = random_speech(150, 5, 3)
    together = run(settings, log_probs, frames)
    for stream in range(5):
        alone = of_kind(run(settings, log_probs[:, stream : stream + 1], 2), "final")
        finals = of_kind(together, "final", f"mic-{stream}")
        assert len(finals) > 1
        assert [one | {"key": ""} for one in finals] == [one | {"key": ""} for one in alone]


def test_streams_keep_apart_in_batches_that_change() -> None:
    """Each row of a stream with other companions, in another place."""
    settings = beam(4)
    log_probs = random_speech(60, 4, 5)
    head = speech_head(manifest(settings, 2))
    states, found = fresh(head, 4), []
    rng = np.random.default_rng(0)
    for row in range(30):
        order = rng.permutation(4)
        for part in (order[:1], order[1:]):
            y = log_probs[row * 2 : row * 2 + 2].swapaxes(0, 1)[part].reshape(len(part), -1)
            records, states[part] = head.step(batch(part, row, 2), y, states[part])
            found += rows_of(records)
    whole = run(settings, log_probs, end=False)
    for stream in range(4):
        key = f"mic-{stream}"
        assert [one for one in found if one["key"] == key] == [
            one for one in whole if one["key"] == key
        ]


def test_a_beam_finds_what_the_best_path_misses() -> None:
    """The text whose paths together are most probable, each of them not."""
    frame = np.log(np.array([0.4, 1e-9, 0.35, 0.25 - 1e-9, 1e-9, 1e-9]))
    log_probs = np.repeat(frame.astype(np.float32)[None, None], 2, axis=0)
    greedy = run(WORDS | WHOLE, log_probs)
    (final,) = of_kind(run(beam(8) | WHOLE, log_probs), "final")
    assert greedy == []
    assert final["text"] == "a"  # 0.35² + 2 · 0.35 · 0.4, against 0.4² for silence


def test_a_language_model_turns_the_scale() -> None:
    """Where the sound leaves it open; and with no weight it does not."""
    log_probs = np.concatenate([spell("a-"), np.log(np.full((1, 1, 6), 0.02)), spell("----")])
    log_probs[2, 0, 2:4] = np.log([0.47, 0.45])  # "a" or "b"
    after_a = np.full((2, 6), -5.0, np.float32)
    after_a[1, 3] = -0.05  # "b" follows
    after_a[:, 0] = -2.0
    table = np.ones((2, 6), np.int32)
    lm = LanguageModel(after_a, table).packed()
    texts = [
        of_kind(run(settings, log_probs, frames=7), "final")[0]["text"]
        for settings in (beam(4), beam(4, lm=lm), beam(4, lm=lm, lm_weight=0.5))
    ]
    assert texts == ["aa", "aa", "ab"]


def test_the_end_counts_when_an_utterance_ends() -> None:
    """The partial text may be one that a whole utterance is not."""
    log_probs = np.concatenate([np.log(np.full((1, 1, 6), 0.02)), spell("-")])
    log_probs[0, 0, 2:4] = np.log([0.5, 0.4])
    table = np.tile(np.arange(6, dtype=np.int32), (6, 1))
    costs = np.full((6, 6), -1.0, np.float32)
    costs[2, 0] = -4.0  # after an "a" more must come
    found = run(beam(4, lm=LanguageModel(costs, table).packed(), lm_weight=1.0, **WHOLE), log_probs)
    assert [one["text"] for one in of_kind(found, "partial")] == ["a"]
    assert [one["text"] for one in of_kind(found, "final")] == ["b"]


def test_times_and_confidence_are_those_of_the_sound() -> None:
    """As greedy decoding gives them where the sound is clear."""
    log_probs = spell("--aab-bb ---c-a----------", p=0.95)
    log_probs[2] = np.log(0.02)
    log_probs[2, 0, [0, 2]] = np.log([0.6, 0.32])  # the "a" begins before it is the best symbol
    (greedy,) = of_kind(run(WORDS, log_probs, frames=5), "final")
    (found,) = of_kind(run(beam(8), log_probs, frames=5), "final")
    assert found == greedy
    assert found["words"][0]["start_s"] == pytest.approx(3 * FRAME_S)


@pytest.mark.parametrize("blanks", [2, 20])
def test_a_text_that_is_withdrawn_is_told_empty(blanks: int) -> None:
    """What was probable while it went on, and is not as a whole: at an endpoint or the end."""
    log_probs = np.concatenate([np.log(np.full((1, 1, 6), 1e-3)), spell("-" * (blanks - 1))])
    log_probs[0, 0, [0, 2]] = np.log([0.4, 0.6])
    costs = np.full((2, 6), -0.01, np.float32)
    costs[1, 0] = -9.0
    lm = LanguageModel(costs, np.ones((2, 6), np.int32)).packed()
    found = run(beam(4, lm=lm, lm_weight=1.0), log_probs)
    assert [(one["kind"], one["text"], one["utterance"]) for one in found] == [
        ("partial", "a", 0),
        ("partial", "", 0),
    ]
    assert found[1]["start_s"] == found[1]["end_s"] == pytest.approx(FRAME_S * min(blanks, 8))


def test_a_long_utterance_is_cut_and_goes_on() -> None:
    """At its longest or when its room is full; a symbol that still sounds is not said again."""
    settings = beam(4, max_utterance_s=0.5)
    finals = of_kind(run(settings, spell("--abcabcabccccab----", p=0.99)), "final")
    assert [one["text"] for one in finals] == ["abcabcabc", "ab"]
    labels = ["", "a", "b"]
    settings = beam(3, labels=labels, separator=" ", max_utterance_s=2.0)
    finals = of_kind(run(settings, spell("ab" * 50, ("", "a", "b"), p=0.99)), "final")
    assert "".join(one["text"].replace(" ", "") for one in finals) == "ab" * 50
    assert {len(one["words"]) for one in finals} == {16, 100 % 16}


def test_silence_for_hours_costs_and_says_nothing() -> None:
    """Scores do not run away, and old hypotheses are let go."""
    settings = beam(4)
    frame = np.log(np.array([0.95, 0.01, 0.01, 0.01, 0.01, 0.01])).astype(np.float32)
    log_probs = np.repeat(frame[None, None], 2000, axis=0)
    log_probs = np.concatenate([log_probs, spell("-ab------------")[:10]])
    found = run(settings, log_probs, frames=10)
    (final,) = of_kind(found, "final")
    assert final["text"] == "ab"
    assert final["start_s"] == pytest.approx(2001 * FRAME_S)


def test_a_read_model_is_the_written_one() -> None:
    """To the bit, as its numbers are halves already."""
    lm = model()
    again = read_language_model(lm.packed(), len(LETTERS))
    assert (again.log_probs == lm.log_probs).all()
    assert (again.next == lm.next).all()
    assert (again.start, again.order) == (2, 3)
