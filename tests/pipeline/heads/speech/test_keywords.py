"""The keyword head: smoothing, thresholds, one report for each time a keyword is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.block import Float32
from pipeline.heads.speech import speech_head
from pipeline.heads.speech.keywords import HOLD_S, smoothed
from tests.pipeline.heads.speech.sounds import (
    BEGIN,
    FRAME_S,
    KEYWORDS,
    batch,
    fresh,
    manifest,
    normalised,
    of_kind,
    rows_of,
    run,
)

LABELS = tuple(KEYWORDS["labels"])


def heard(go: list[float], stop: list[float] | None = None) -> Float32:
    """Log-probabilities [F, 1, 3] of these posteriors of the keywords."""
    others = [0.001] * len(go) if stop is None else stop
    rest = 1.0 - np.array(go) - np.array(others)
    posteriors = np.stack([np.maximum(rest, 1e-6), go, others], axis=1)
    return normalised(np.log(posteriors)[:, None])


def bumps(frames: int, streams: int, seed: int) -> Float32:
    """Log-probabilities [F, N, 3] in which keywords come and go."""
    rng = np.random.default_rng(seed)
    wave = rng.normal(0, 1, (frames + 8, streams, 3)).cumsum(0)
    logits = 1.2 * (wave[8:] - wave[:-8])
    return normalised(logits)


def plain(log_probs: Float32, settings: dict[str, Any]) -> list[tuple[str, float, int]]:
    """Keyword, score and frame of each report in one stream [F, V]: the rules, one by one."""
    window = round(settings["smooth_s"] / FRAME_S)
    hold, wait = round(HOLD_S / FRAME_S), round(settings["refractory_s"] / FRAME_S)
    posteriors = np.concatenate([np.zeros((window - 1, 2)), np.exp(log_probs[:, 1:])])
    found = []
    for keyword in range(2):
        threshold = settings["thresholds"][keyword]
        begun, peak, done, again = None, 0.0, False, 0
        for frame in range(len(log_probs)):
            score = posteriors[frame : frame + window, keyword].mean()
            over = score >= threshold
            done = done and over
            rises = False
            if over and begun is None and not done:
                if frame < again:
                    done = True
                else:
                    begun, peak, rises = frame, score, True
            elif begun is not None and score > peak:
                peak, rises = score, True
            if begun is not None and (not rises or frame - begun >= hold):
                found.append((LABELS[keyword + 1], peak, frame))
                begun, done, again = None, over, frame + 1 + wait
    return sorted(found, key=lambda one: one[2])


def test_it_is_reported_once_when_its_score_falls() -> None:
    """With the highest score, and the times of the sound that made it."""
    posteriors = [0.01] * 6 + [0.9, 0.9, 0.9, 0.9, 0.1] + [0.01] * 9
    (one,) = run(KEYWORDS, heard(posteriors), frames=1)
    assert (one["kind"], one["keyword"]) == ("keyword", "go")
    assert one["score"] == pytest.approx(0.9, abs=1e-6)
    # The mean over three frames is 0.6 in the frame 7 and highest in frame 8.
    assert one["start_s"] == pytest.approx(5 * FRAME_S)
    assert one["end_s"] == pytest.approx(9 * FRAME_S)
    assert one["start"] == BEGIN + 5 * 50_000
    assert one["end"] == BEGIN + 9 * 50_000


def test_it_is_not_waited_for_longer_than_the_hold() -> None:
    """A score that rises on and on is reported after HOLD_S, and not again when it falls."""
    rising = np.linspace(0.55, 0.98, 20).tolist()
    head = speech_head(manifest(KEYWORDS, 1))
    state, reports = fresh(head, 1), []
    for row, frame in enumerate(heard(rising + [0.01] * 8)):
        records, state = head.step(batch([0], row, 1), frame, state)
        reports += [row for _ in rows_of(records)]
    first = next(at for at in range(28) if np.mean(rising[max(0, at - 2) : at + 1]) >= 0.6)
    assert reports == [first + round(HOLD_S / FRAME_S)]


def test_it_is_not_repeated_within_the_refractory_time() -> None:
    """Nor after it, unless the score was below the threshold before it rises."""
    word, pause = [0.95] * 4, [0.01] * 4
    settings = KEYWORDS | {"refractory_s": 1.0}
    assert len(run(settings, heard(word + pause + word + pause))) == 1
    assert len(run(settings, heard(word + pause * 6 + word + pause))) == 2
    # It begins while it is not to be reported, and goes on beyond: that is not a new one.
    assert len(run(settings, heard(word + pause * 2 + word * 5 + pause))) == 1
    assert len(run(KEYWORDS | {"refractory_s": 0.0}, heard(word + pause + word + pause))) == 2


def test_another_keyword_has_its_own_time() -> None:
    """The refractory time is that of each keyword; thresholds too."""
    go = [0.9] * 4 + [0.01] * 12
    stop = [0.01] * 5 + [0.55] * 4 + [0.01] * 7
    found = run(KEYWORDS, heard(go, stop))
    assert [one["keyword"] for one in found] == ["go", "stop"]
    assert run(KEYWORDS, heard(stop, go))[-1]["keyword"] == "stop"
    assert len(run(KEYWORDS, heard(stop, go))) == 1  # 0.55 is not enough for "go"


def test_one_frame_at_the_beginning_is_not_enough() -> None:
    """Before its first frame a stream held no keyword, so its mean is over zeros."""
    assert run(KEYWORDS, heard([0.99, 0.01, 0.01, 0.01])) == []
    assert len(run(KEYWORDS | {"smooth_s": 0.0}, heard([0.99, 0.01, 0.01, 0.01]))) == 1


def test_the_end_reports_what_is_still_rising() -> None:
    """A stream that stops within the word."""
    log_probs = heard([0.01, 0.01, 0.9, 0.92, 0.94, 0.96])
    assert run(KEYWORDS, log_probs, frames=3, end=False) == []
    (one,) = run(KEYWORDS, log_probs, frames=3)
    assert one["score"] == pytest.approx(np.mean([0.92, 0.94, 0.96]), abs=1e-6)
    assert one["end"] == BEGIN + 6 * 50_000


def test_a_closed_gate_is_no_keyword() -> None:
    """What the model puts out behind it means nothing."""
    posteriors = [0.01] * 4 + [0.95] * 4 + [0.01] * 4
    assert len(run(KEYWORDS, heard(posteriors), closed=[])) == 1
    assert run(KEYWORDS, heard(posteriors), closed=[2, 3]) == []


@pytest.mark.parametrize("frames", [1, 2, 6, 12])
def test_random_streams_match_the_plain_rules(frames: int) -> None:
    """Whatever the chunk's length, and with all streams in one batch."""
    settings = KEYWORDS | {"delay_s": 0.1}
    log_probs = bumps(600, 5, 2)
    found = run(settings, log_probs, frames, end=False)
    for stream in range(5):
        mine = of_kind(found, "keyword", f"mic-{stream}")
        wanted = plain(log_probs[:, stream], settings)
        assert len(wanted) > 5
        assert sorted((one["keyword"], round(one["score"], 5)) for one in mine) == sorted(
            (keyword, round(score, 5)) for keyword, score, _ in wanted
        )
        alone = run(settings, log_probs[:, stream : stream + 1], 3, end=False)
        assert sorted(map(str, [one | {"key": ""} for one in mine])) == sorted(
            map(str, [one | {"key": ""} for one in alone])
        )


def test_smoothing_is_the_mean_over_the_window() -> None:
    """For use outside of a stream, too."""
    posteriors = np.random.default_rng(0).random((2, 9, 3)).astype(np.float32)
    means = smoothed(posteriors, 4)
    assert means.shape == (2, 6, 3)
    np.testing.assert_allclose(means[1, 2], posteriors[1, 2:6].mean(axis=0), rtol=1e-6)
