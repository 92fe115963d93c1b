"""The wake word benchmark on a made copy of its folders: the split, the mixtures, the counting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.block import Records
from pipeline.errors import DataError
from tests.trainer.speech.tones import HZ, QUICK, RATE, keyword, tone
from tests.trainer.test_fit import Told
from trainer.benchmarks.wake_words import (
    BACKGROUND_SHARES,
    CLIP_SHARES,
    Place,
    _matched,
    between_background,
    load,
    run,
    with_mixtures,
)
from trainer.benchmarks.wake_words import RATE as OWN_RATE
from trainer.benchmarks.wake_words_report import wake_words_report
from trainer.speech.keywords.sounds import place


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keywords, speech and noise in the layout of the real sets."""
    root, rng = tmp_path_factory.mktemp("speech"), np.random.default_rng(4)

    def write(path: str, samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / path, samples, RATE)

    for name in HZ:
        for number in range(16):
            write(f"wake_words/{name}/{number}.wav", keyword(name, rng))
    for number in range(16):
        samples = (0.002 * rng.normal(size=RATE)).astype(np.float32)
        samples[1000 : 1000 + RATE // 10] += tone(900.0, 0.1)
        write(f"coffee_commands/audio/{number}.wav", samples)
        write(f"fsdd/someone/{number}.wav", samples[: RATE // 2])
    write("transcribed_samples/one.wav", np.zeros(RATE, np.float32))
    write("noise/hum.wav", (0.1 * rng.normal(size=10 * RATE)).astype(np.float32))
    return root / "wake_words"


def test_the_split_is_by_name(folder: Path) -> None:
    """Each clip in one part; the noise in time; nothing is lost."""
    parts = load(folder)
    assert parts.labels == ("", "down", "up")
    everything = (parts.training, parts.validation, parts.test)
    names = [clip.name for part in everything for clip in part.clips]
    assert len(names) == len(set(names)) == 32
    assert all(place(clip.name) >= CLIP_SHARES[1] for clip in parts.test.clips)
    assert all(place(clip.name) < CLIP_SHARES[0] for clip in parts.training.clips)
    assert all(clip.name.split("/")[0] == parts.labels[clip.label] for clip in parts.test.clips)
    assert sum(len(part.background) for part in everything) == 33
    lengths = [len(part.noises[0]) for part in everything]
    assert lengths == [
        round(10 * OWN_RATE * share) for share in np.diff([0.0, *BACKGROUND_SHARES, 1.0])
    ]
    with pytest.raises(DataError, match="no such folder"):
        load(folder.parent / "nothing")


def test_background_is_judged_clean_and_in_noise(folder: Path) -> None:
    """Ten decibels apart; and the noise alone."""
    test = load(folder).test
    found = with_mixtures(test)
    count = len(test.background)
    assert len(found.background) == 2 * count + len(test.noises)
    clean, noisy = found.background[0], found.background[count]
    ratio = 10 * np.log10(np.mean(clean**2) / np.mean((noisy - clean) ** 2))
    assert ratio < 10.5  # the mean of the recording is below its loudest tenth
    assert not np.array_equal(clean, noisy)


def test_reports_are_matched_with_clips() -> None:
    """Within a clip and a moment after it: of its own keyword found once, of another wrong."""
    places = [Place(0, 1.0, 2.0, "up"), Place(0, 5.0, 6.0, "down"), Place(1, 1.0, 2.0, "up")]
    heard = [
        ("0", "up", 1.8),
        ("0", "up", 2.4),  # again, late: still the first clip
        ("0", "up", 3.0),  # in the background
        ("0", "down", 4.9),  # too early
        ("1", "down", 1.5),  # another keyword
    ]
    nothing = np.zeros(len(heard), np.int64)
    records = Records(
        kind="keyword",
        key=np.array([key.encode() for key, _, _ in heard], np.object_),
        time=nothing,
        partition=nothing.astype(np.int32),
        offset=nothing,
        index=nothing.astype(np.int32),
        stamped=nothing,
        live=np.ones(len(heard), np.bool_),
        columns={
            "keyword": np.array([name for _, name, _ in heard], np.object_),
            "end_s": np.array([end_s for _, _, end_s in heard]),
        },
    )
    assert _matched([records], places) == (1, 1, 2)


def test_a_run_is_reported(folder: Path, tmp_path: Path) -> None:
    """Trained, judged alone and between background, beside the floor."""
    config = QUICK.model_copy(update={"epochs": 1, "repeats": 1, "noise": 0.0})
    found = run(folder, config, workdir=tmp_path, progress=Told())
    assert found.alone.clips == found.embedded.clips == len(found.parts.test.clips)
    assert found.alone.hours == pytest.approx(
        sum(map(len, with_mixtures(found.parts.test).background)) / OWN_RATE / 3600
    )
    assert found.alone.misses[-1] >= found.alone.misses[0]
    again = between_background(found.trained, found.parts.test)
    np.testing.assert_array_equal(again.misses, found.embedded.misses)
    report = wake_words_report(found)
    alone, embedded, data = report["tables"]
    assert alone["rows"][-1][0].endswith("(validation)")
    assert len(embedded["rows"]) == len(alone["rows"]) == 5
    assert [row[0] for row in data["rows"]] == ["down", "up", "background speech, h"]
    assert report["verdict"]["text"].startswith("Miss rate")
    assert report["metrics"]["miss_rate_at_1_per_hour"] == alone["rows"][1][3]
