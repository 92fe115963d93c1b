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
