"""What another Python does for a benchmark of tracking: other trackers, and the official scorer."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import DataError
from trainer.benchmarks import rivals as program
from trainer.benchmarks.mot17 import Entry, fps
from trainer.tracking.video import SCORE, Clip

# One thread; and what lies beside a program is not taken for the packages that it imports.
SETTING = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONSAFEPATH"), "1"
)


def check_rivals(python: Path) -> None:
    """Raises DataError where ``python`` lacks others' trackers, or has them too old."""
    _run(python, [str(Path(program.__file__).resolve())])


def rivals(
    python: Path, clips: Sequence[Clip], folder: Path, names: Sequence[str] = tuple(program.TUNED)
) -> tuple[list[Entry], dict[str, str]]:
    """What others' trackers make of ``clips``, default and tuned, and their versions.

    ``python`` has the packages that ``check_rivals`` looks for. Raises DataError where it fails.
    """
    sequences = []
    for clip in clips:
        video = clip.video
        raw, mapped = (folder / f"{video.name}-{kind}.txt" for kind in ("raw", "mapped"))
        rows = video.found[:, : SCORE + 1].copy()
        np.savetxt(raw, rows, delimiter=",", fmt="%.8g")
        rows[:, SCORE] = video.scores()
        np.savetxt(mapped, rows, delimiter=",", fmt="%.8g")
        sequences.append(
            {
                "name": video.name,
                "raw": str(raw),
                "detections": str(mapped),
                "first": clip.truth.first,
                "last": clip.truth.last,
            }
        )
    request = folder / "request.json"
    asked = {"out": str(folder), "sequences": sequences, "trackers": list(names)}
    request.write_text(json.dumps(asked), encoding="utf-8")
    _run(python, [str(Path(program.__file__).resolve()), str(request)])
    answer = json.loads((folder / "rivals.json").read_text(encoding="utf-8"))
    found: dict[tuple[str, str], list[tuple[Path, float]]] = {}
    for one in answer["runs"]:
        results = found.setdefault((one["tracker"], one["settings"]), [])
        results.append((Path(one["result"]), one["seconds"]))
    entries = [
        Entry(name, settings, tuple(path for path, _ in results), sum(took for _, took in results))
        for (name, settings), results in found.items()
    ]
    return entries, answer["versions"]


def official(python: Path, script: Path, entry: Entry, clips: Sequence[Clip]) -> dict[str, float]:
    """An entry's figures by TrackEval, as ``script`` (score_tracks.py) prints them, and ``FPS``.

    Raises DataError where it fails.
    """
    parts = [
        (str(clip.video.annotation), str(file), f"{clip.truth.first}-{clip.truth.last}")
        for clip, file in zip(clips, entry.files, strict=True)
    ]
    others = [word for part in parts[1:] for word in ("--also", *part)]
    told = _run(python, [str(script), *parts[0], *others])
    figures: dict[str, float] = json.loads(told)
    return figures | {"FPS": fps(entry, clips)}


def _run(python: Path, words: Sequence[str]) -> str:
    """What a program prints; raises DataError where it can't be run, or fails."""
    command = [str(python), *words]
    try:
        done = subprocess.run(  # noqa: S603 - the user named both programs
            command, capture_output=True, text=True, check=False, env=os.environ | SETTING
        )
    except OSError as error:
        raise DataError(f"{python}: can't be run: {error.strerror}") from error
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise DataError(f"{python} {Path(words[0]).name} failed: {last}")
    return done.stdout
