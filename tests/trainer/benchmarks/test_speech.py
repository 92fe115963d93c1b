"""The speech benchmarks' protocols, on made-up digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from tests.shared import shared_path
from trainer.benchmarks import an4, fsdd, yesno
from trainer.benchmarks.fsdd import RATE, Digit, drawn, string, strings
from trainer.speech.data import Recording


def digits(speakers: str = "ab", takes: int = 6) -> list[Digit]:
    """A constant for each digit, so that a string shows what it is made of."""
    rng = np.random.default_rng(0)
    found = []
    for who in speakers:
        for digit in range(10):
            for take in range(takes):
                samples = np.full(int(rng.integers(1600, 4000)), 0.1 * (digit + 1), np.float32)
                found.append(Digit(samples, digit, who, take))
    return found


def runs(samples: np.ndarray) -> list[tuple[float, int]]:
    """The stretches of equal samples: value and length."""
    edges = np.flatnonzero(np.diff(samples)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.append(starts, len(samples)))
    return [(round(float(samples[at]), 3), int(n)) for at, n in zip(starts, lengths, strict=True)]


def test_a_string_is_digits_with_gaps_between() -> None:
    """In their order, whole, with the pauses asked for and silence around."""
    some = digits()[:30:10]
    made = string(some, np.random.default_rng(1), (0.05, 0.3))
    assert made.text.split() == [fsdd.WORDS[one.digit] for one in some]
    found = runs(made.values)
    sounds = [run for run in found if run[0]]
    assert sounds == [(round(0.1 * (d.digit + 1), 3), len(d.samples)) for d in some]
    gaps = [length / RATE for value, length in found if not value]
    assert gaps[0] == gaps[-1] == fsdd.AROUND_S
    assert all(0.05 <= gap <= 0.3 for gap in gaps[1:-1])


def test_strings_hold_every_digit_once_in_noise() -> None:
    """Of one speaker each, the same ones each time, the noise 10 dB below the digits."""
    own = digits()
    noise = (np.random.default_rng(2).standard_normal(5 * RATE)).astype(np.float32)
    found = strings(own, 5, [noise])
    assert sum(len(one.text.split()) for one in found) == len(own)
    assert {one.speaker for one in found} == {"a", "b"}
    assert all(len(one.text.split()) <= 7 for one in found)
    again = strings(own, 5, [noise])
    assert all(np.array_equal(a.values, b.values) for a, b in zip(found, again, strict=True))
    first = found[0]
    around = first.values[: round(fsdd.AROUND_S * RATE)]
    levels = [0.1 * (int(name.split("_")[0]) + 1) for name in first.name.split("+")]
    lengths = [
        len(next(d for d in own if d.name == name).samples) for name in first.name.split("+")
    ]
    power = np.average(np.square(levels), weights=lengths)
    assert 10 * np.log10(power / np.mean(np.square(around))) == pytest.approx(10.0, abs=0.5)


def test_an_epoch_draws_everything_once() -> None:
    """In other strings each time, never of two speakers."""
    own, rng = digits(), np.random.default_rng(0)
    first, second = drawn(own, rng), drawn(own, rng)
    for found in (first, second):
        names = sorted(name for one in found for name in one.name.split("+"))
        assert names == sorted(one.name for one in own)
        for one in found:
            assert {name.split("_")[1] for name in one.name.split("+")} == {one.speaker}
    assert [one.name for one in first] != [one.name for one in second]


def test_folders_without_the_data(tmp_path: Path) -> None:
    """Each benchmark says what it looked for."""
    with pytest.raises(DataError, match="files like 0_1"):
        yesno.load(tmp_path)
    with pytest.raises(DataError, match="no <speaker>/<digit>"):
        fsdd.load(tmp_path, tmp_path)
    with pytest.raises(DataError, match="no recordings"):
        an4.load(tmp_path)


def test_an4_is_split_by_speakers() -> None:
    """At least 100 utterances to judge by; no speaker on two sides; all of the rest is used."""
    corpus, parts = an4.load(shared_path("data", "speech", "an4"))
    sides = (parts.training, parts.validation, parts.test)
    assert sum(map(len, sides)) == len(corpus) == 948
    assert 100 <= len(parts.test) <= 113
    assert len(parts.validation) >= 70
    speakers = [{one.speaker for one in side} for side in sides]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 74


def spoken(name: str, text: str, pause_s: float) -> Recording:
    """Half a second of noise for each word, with pauses between."""
    rng = np.random.default_rng(0)
    pieces = [np.zeros(1000)]
    for at, _ in enumerate(text.split()):
        if at:
            pieces.append(np.zeros(round(pause_s * RATE)))
        pieces.append(0.3 * rng.standard_normal(RATE // 2))
    return Recording(name, np.concatenate(pieces).astype(np.float32), text)


def test_words_are_cut_at_their_pauses() -> None:
    """All samples are in one of them; a recording with other pauses than words gives none."""
    one = spoken("a", "yes no yes", 0.3)
    found = yesno.cut(one, RATE)
    assert [word.text for word in found] == ["yes", "no", "yes"]
    np.testing.assert_array_equal(np.concatenate([word.values for word in found]), one.values)
    for word in found:
        assert int(np.count_nonzero(word.values)) == RATE // 2
    assert yesno.cut(spoken("b", "yes no yes", 0.05), RATE) == []


def test_words_are_drawn_in_any_order() -> None:
    """Each once an epoch, alone or up to eight together."""
    words = yesno.cut(spoken("a", " ".join(["yes", "no"] * 10), 0.3), RATE)
    found = yesno.drawn(words, np.random.default_rng(1))
    assert sorted(name for one in found for name in one.name.split("+")) == sorted(
        word.name for word in words
    )
    assert all(len(one.text.split()) <= 8 for one in found)
    assert any(one.text.startswith("no") for one in found)
