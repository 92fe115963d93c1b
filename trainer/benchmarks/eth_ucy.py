"""ETH/UCY: where pedestrians will be in 4.8 s, from 3.2 s of their way, one scene left out.

Pellegrini et al., "You'll Never Walk Alone", 2009; Lerner et al., "Crowds by Example", 2007; the
protocol of Alahi et al., "Social LSTM", 2016: 8 steps of 0.4 s are seen, 12 are predicted. A window
is 20 steps in a row of one person, and begins at every step; nobody else has to be there.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.block import Float32
from pipeline.errors import DataError

SEEN, AHEAD = 8, 12
STEP_S = 0.4
SCENES: Mapping[str, tuple[str, ...]] = {
    "eth": ("biwi_eth",),
    "hotel": ("biwi_hotel",),
    "univ": ("students001", "students003"),
    "zara1": ("crowds_zara01",),
}
# Where each file was filmed. Those that belong to no scene train only, as in the published splits.
PLACES: Mapping[str, str] = {
    "biwi_eth": "eth",
    "biwi_hotel": "hotel",
    "students001": "univ",
    "students003": "univ",
    "uni_examples": "univ",
    "crowds_zara01": "zara",
    "crowds_zara03": "zara",
}

Predictor = Callable[[Float32], Float32]
"""From the steps seen [N, 8, 2] in metres to those that come [N, 12, 2]."""


Ways = Mapping[str, Float32]
"""The windows [N, 20, 2] in metres of each file."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Mean distances in metres: over all steps, and at the last."""

    ade: float
    fde: float


def load(folder: Path) -> Ways:
    """All files' windows by name; raises DataError."""
    return {name: _windows(_rows(folder, name), name) for name in PLACES}


def fold(loaded: Ways, scene: str) -> tuple[Ways, Float32]:
    """The files that train where ``scene`` is left out, and that scene's windows [N, 20, 2]."""
    training = {name: own for name, own in loaded.items() if name not in SCENES[scene]}
    return training, np.concatenate([loaded[name] for name in SCENES[scene]])


def errors(predictor: Predictor, windows: Float32) -> Errors:
    """How far ``predictor`` is off over all ``windows [N, 20, 2]``."""
    off = np.linalg.norm(predictor(windows[:, :SEEN]) - windows[:, SEEN:], axis=2)
    return Errors(float(off.mean()), float(off[:, -1].mean()))


def constant_velocity(seen: Float32) -> Float32:
    """The last step, again and again."""
    ahead = np.arange(1, AHEAD + 1, dtype=np.float32)[:, None]
    return seen[:, -1:] + (seen[:, -1:] - seen[:, -2:-1]) * ahead


def linear_fit(seen: Float32) -> Float32:
    """The straight line of least squares through the steps seen, prolonged."""
    times = np.arange(SEEN, dtype=np.float64)
    design = np.stack([np.ones(SEEN), times], axis=1)
    later = np.stack([np.ones(AHEAD), np.arange(SEEN, SEEN + AHEAD)], axis=1)
    return (later @ np.linalg.pinv(design) @ seen.astype(np.float64)).astype(np.float32)


def _rows(folder: Path, name: str) -> Float32:
    """The lines of a file [N, 4]: frame, person, x, y."""
    found = [path for path in (folder / f"{name}.txt.gz", folder / f"{name}.txt") if path.is_file()]
    if not found:
        raise DataError(f"{folder}: no {name}.txt or {name}.txt.gz")
    content = found[0].read_bytes()
    try:
        text = (gzip.decompress(content) if found[0].suffix == ".gz" else content).decode()
        rows = np.array([line.split() for line in text.splitlines() if line.strip()], np.float32)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{found[0]}: not lines of frame, person, x, y: {error}") from error
    if rows.ndim != 2 or rows.shape[1] != 4:
        raise DataError(f"{found[0]}: not lines of frame, person, x, y")
    return rows


def _windows(rows: Float32, name: str) -> Float32:
    """Every window of 20 steps in a row, by its start and person; raises DataError."""
    numbers = np.unique(rows[:, 0])
    # Frames are numbered by the video's; every so many of them there is a step.
    rows[:, 0] /= np.median(np.diff(numbers)) if len(numbers) > 1 else 1
    length = SEEN + AHEAD
    found: list[tuple[float, float, Float32]] = []
    for person in np.unique(rows[:, 1]):
        own = rows[rows[:, 1] == person]
        own = own[np.argsort(own[:, 0], kind="stable")]
        for start in range(len(own) - length + 1):
            piece = own[start : start + length]
            if (np.diff(piece[:, 0]) == 1).all():
                found.append((float(piece[0, 0]), float(person), piece[:, 2:]))
    if not found:
        raise DataError(f"{name}: nobody is seen for {length} steps in a row")
    found.sort(key=lambda each: each[:2])
    return np.stack([window for *_, window in found])
