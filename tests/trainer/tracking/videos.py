"""Small made-up videos: people that walk, an imperfect detector, an imperfect tracker."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]
SIZE, RATE = (640, 480), 25.0


def walk(frames: int, people: int, seed: int) -> Rows:
    """Ground truth with nine columns: people in lanes, one distractor that stands still."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(1, people + 1):
        speed = rng.uniform(2, 4) * (1 if person % 2 else -1)
        start = 20.0 if speed > 0 else 560.0
        top = 40.0 + 60 * person
        rows += [
            [frame, person, start + speed * frame, top, 30, 70, 1, 1, 1]
            for frame in range(1, frames + 1)
        ]
    rows += [[frame, 90, 300, 20, 30, 70, 0, 7, 1] for frame in range(1, frames + 1)]
    return np.array(rows, np.float64)


def detect(truth: Rows, seed: int) -> Rows:
    """Ten columns: most people with noise, scores about 0 (logits), and some boxes of nobody."""
    rng = np.random.default_rng(seed)
    found = np.full((len(truth), 10), -1.0)
    found[:, 0] = truth[:, 0]
    found[:, 2:6] = truth[:, 2:6] + rng.normal(0, 1.5, (len(truth), 4))
    found[:, 6] = rng.normal(1.5, 0.5, len(truth))
    found = found[rng.random(len(found)) < 0.9]
    wrong = found[rng.random(len(found)) < 0.05].copy()
    wrong[:, 2:4] = rng.uniform(0, 400, (len(wrong), 2))
    wrong[:, 6] -= 2
    return np.concatenate([found, wrong])


def follow(truth: Rows, seed: int) -> Rows:
    """A result: noisy boxes, of which some lack, with names that change now and then."""
    rng = np.random.default_rng(seed)
    kept = truth[rng.random(len(truth)) < 0.85][:, :6].copy()
    kept[:, 2:6] += rng.normal(0, 6, (len(kept), 4))
    kept[:, 1] = kept[:, 1] * 10 + kept[:, 0] // (10 + 5 * kept[:, 1])
    false = kept[rng.random(len(kept)) < 0.1].copy()
    false[:, 1] += 5000
    false[:, 2] += 45
    return np.concatenate([kept, false])


def write_rows(path: Path, rows: Rows) -> None:
    """A MOT text file, gzipped where its name says so."""
    text = "".join(",".join(f"{value:.6g}" for value in row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)


def write_videos(folder: Path, frames: int = 40) -> Path:
    """Two sequences as MOT17 lays them out; detections have scores without an upper limit."""
    for number, people in ((1, 3), (2, 2)):
        own = folder / f"MADE-{number:02}"
        own.mkdir(parents=True)
        truth = walk(frames, people, number)
        write_rows(own / "gt.txt.gz", truth)
        write_rows(own / "det_dpm.txt.gz", detect(truth, number))
        (own / "seqinfo.ini").write_text(
            f"[Sequence]\nname={own.name}\nframeRate={RATE:g}\nseqLength={frames}\n"
            f"imWidth={SIZE[0]}\nimHeight={SIZE[1]}\n"
        )
    return folder
