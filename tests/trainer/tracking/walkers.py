"""Videos of people who walk straight on, as MOT files and as recordings."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from pipeline.block import Float32
from trainer.tracking.config import TrackingConfig
from trainer.tracking.data import Recording, read_recordings

QUICK = TrackingConfig(hidden=4, epochs=2, windows=64, batch=32, rows=12, longest_gap=4)
FRAMES, PEOPLE = 120, 6


def walk(person: int) -> Float32:
    """Left, top, width, height [FRAMES, 4] of one person."""
    rng = np.random.default_rng(person)
    start, velocity = rng.uniform(100, 900, 2), rng.normal(0, 2, 2)
    centre = start + velocity * np.arange(FRAMES)[:, None]
    size = np.tile(np.array([30.0, 80.0]) * rng.uniform(1, 3), (FRAMES, 1))
    return np.concatenate([centre, size], axis=1).astype(np.float32)


def write_video(folder: Path, *, detected: bool = True, rate: int | None = 25) -> Path:
    """A folder in MOT's layout; one line of its ground truth is not a person's."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)
    truth, found = ["1,99,5,5,50,100,0,7,1"], []
    for person in range(PEOPLE):
        for frame, box in enumerate(walk(person), 1):
            truth.append(f"{frame},{person + 1},{','.join(f'{x:.2f}' for x in box)},1,1,1")
            if rng.random() < 0.85:
                off = box + rng.normal(0, 0.02, 4) * box[3]
                found.append(f"{frame},-1,{','.join(f'{x:.2f}' for x in off)},1.5,-1,-1,-1")
    (folder / "gt.txt.gz").write_bytes(gzip.compress("\n".join(truth).encode()))
    if detected:
        (folder / "det_made.txt").write_text("\n".join(found))
    if rate is not None:
        (folder / "seqinfo.ini").write_text(f"[Sequence]\nname=made\nframeRate={rate}\n")
    return folder


def recordings(folder: Path, *, detected: bool = True) -> tuple[Recording, ...]:
    """What the trainer reads of one such video."""
    return read_recordings(write_video(folder / "made", detected=detected))
