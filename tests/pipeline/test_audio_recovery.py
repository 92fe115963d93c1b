"""Recordings that are read by a pipeline which dies again and again: nothing is missing."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.assemble import assemble
from pipeline.block import Records
from pipeline.config import load_config
from pipeline.sinks.memory import ListSink, MemoryOutput
from pipeline.sources.memory import AbortError
from tests.pipeline import test_assemble_sound as sound_rig
from tests.pipeline.audio.sounds import noise, write_wav
from tests.pipeline.test_assemble_sound import AUDIO, FILE, RATE, loudness_bundle

MORE = """
commit_every_ms = 1
engine = { max_rows = 5 }
state = { snapshot_every_s = 0.001 }
"""
Row = tuple[bytes, float, float, int]


class Dying(ListSink):
    """Dies after so many outputs; what was not flushed by then is lost."""

    def __init__(self, output: MemoryOutput, sends: int) -> None:
        super().__init__(output, transactional=True)
        self._left = sends

    def send(self, records: Records) -> None:
        self._left -= 1
        if not self._left:
            raise AbortError("planned death")
        super().send(records)

    def flush(self) -> None:
        super().flush()
        self._publish()


def run(folder: Path, output: MemoryOutput, sends: int = 1 << 30) -> bool:
    """One life of the process; whether it came to its end."""
    (config,) = load_config(folder / "p.toml").pipeline
    stop = threading.Event()
    sink = Dying(output, sends)
    try:
        assemble(config, folder, stop, sink=sink).loop.run(stop)
    except AbortError:
        return False
    return True


def rows(output: MemoryOutput) -> dict[tuple[int, int, int], set[Row]]:
    """Record id → what was said under it."""
    found: dict[tuple[int, int, int], set[Row]] = {}
    for row in output.rows("output"):
        said = (row["key"], *map(float, (row["sum"], row["count"])), int(row["time"]))
        found.setdefault((row["partition"], row["offset"], row["index"]), set()).add(said)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_outputs_are_those_of_a_run_that_was_not_interrupted(seed: int, tmp_path: Path) -> None:
    """At least once: none missing, repeats have the same id and say the same, to the bit."""
    folders = [tmp_path / name for name in ("whole", "dying")]
    for folder in folders:
        folder.mkdir()
        loudness_bundle(folder / "m.onnx")
        (folder / "p.toml").write_text(FILE.format(source=AUDIO, more=MORE))
    files: list[tuple[str, int, Any]] = [
        ("plain.wav", RATE, noise(20_000, seed=1)),
        ("short.wav", RATE, noise(100, seed=2)),
        ("other.wav", 11_025, noise(30_000, 2, seed=3)),
    ]
    torn = noise(9000, seed=4)
    torn[0, 5000] = np.nan
    for name, rate, samples in files:
        path = write_wav(tmp_path / "in" / name, samples, rate)
    soundfile.write(tmp_path / "in" / "torn.wav", torn[0], RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "in" / "lossy.ogg", noise(12_000, seed=5)[0], RATE)
    for folder, path in itertools.product(folders, sorted((tmp_path / "in").iterdir())):
        (folder / "in").mkdir(exist_ok=True)
        (folder / "in" / path.name).hardlink_to(path)
    whole, pieces = MemoryOutput(), MemoryOutput()
    assert run(folders[0], whole)
    rng, lives = np.random.default_rng(seed), 1
    while not run(folders[1], pieces, int(rng.integers(2, 30))):
        lives += 1
    assert lives > 3
    assert rows(pieces) == rows(whole)
    assert all(len(said) == 1 for said in rows(whole).values())
    assert {letter.key for letter in pieces.rejects} == {b"torn"}


class Stopping(ListSink):
    """Asks for a clean stop with the first output."""

    def __init__(self, output: MemoryOutput, stop: threading.Event) -> None:
        super().__init__(output, transactional=False)
        self._stop = stop

    def send(self, records: Records) -> None:
        super().send(records)
        self._stop.set()


def started(folder: Path) -> float:
    """A life that is stopped early; the seconds of sound that it heard."""
    (config,) = load_config(folder / "p.toml").pipeline
    stop, output = threading.Event(), MemoryOutput()
    assemble(config, folder, stop, sink=Stopping(output, stop)).loop.run(stop)
    return len(rows(output)) * sound_rig.CHUNK / RATE


@pytest.mark.parametrize("chunk", [200, 400, 800, 1600])
def test_another_models_chunks_go_on_where_the_sound_was(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its states reset: no sound is left out, and no offset is off its log."""
    more = MORE.replace("0.001", '0.001, on_model_change = "reset"')
    (tmp_path / "p.toml").write_text(FILE.format(source=AUDIO, more=more))
    write_wav(tmp_path / "in" / "a.wav", noise(4 * RATE), RATE)
    loudness_bundle(tmp_path / "m.onnx")
    heard_s = started(tmp_path)
    assert 0 < heard_s < 3
    monkeypatch.setattr(sound_rig, "CHUNK", chunk)
    loudness_bundle(tmp_path / "m.onnx", fingerprint="another")
    output = MemoryOutput()
    assert run(tmp_path, output)
    offsets = [offset for _, offset, _ in sorted(rows(output))]
    assert heard_s - chunk / RATE < offsets[0] * chunk / RATE <= heard_s
    assert offsets == list(range(offsets[0], 4 * RATE // chunk + -(-1200 // chunk)))
    again = MemoryOutput()
    assert run(tmp_path, again)
    assert not rows(again)


@pytest.mark.parametrize("finished", [False, True])
def test_a_recording_that_grew_is_heard_from_its_start(finished: bool, tmp_path: Path) -> None:
    """Whatever was saved of the shorter one."""
    (tmp_path / "p.toml").write_text(FILE.format(source=AUDIO, more=MORE))
    write_wav(tmp_path / "in" / "a.wav", noise(4 * RATE), RATE)
    loudness_bundle(tmp_path / "m.onnx")
    if finished:
        assert run(tmp_path, MemoryOutput())
    else:
        started(tmp_path)
    write_wav(tmp_path / "in" / "a.wav", noise(5 * RATE), RATE)
    grown = MemoryOutput()
    assert run(tmp_path, grown)
    assert sorted(rows(grown)) == [(1, at, 0) for at in range(52)]
    counts = [int(row["count"]) for row in grown.rows("output")]
    assert counts == list(range(1, 53))
