"""Small benchmark folders on disk, in the layout of the published ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np


def write_nab(folder: Path, rows: int = 800) -> Path:
    """Two files of a daily wave: one with an anomaly (gzipped), one without."""
    rng = np.random.default_rng(1)
    wave = 10 * np.sin(np.arange(rows) * 2 * np.pi / 48) + rng.normal(0, 0.3, rows)
    broken = wave.copy()
    broken[rows * 3 // 4 : rows * 3 // 4 + 12] += 25
    start = np.datetime64("2020-01-01T00:00:00", "s")
    stamps = [str(start + np.timedelta64(300 * i, "s")).replace("T", " ") for i in range(rows)]
    windows = [[f"{stamps[rows * 3 // 4 - 20]}.000000", f"{stamps[rows * 3 // 4 + 40]}.000000"]]
    for name, values in (("real/broken.csv", broken), ("real/calm.csv", wave)):
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{stamp},{value:.4f}" for stamp, value in zip(stamps, values, strict=True)]
        text = "\n".join(["timestamp,value", *lines]) + "\n"
        if name == "real/broken.csv":
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
    (folder / "labels").mkdir()
    (folder / "labels" / "combined_windows.json").write_text(
        json.dumps({"real/broken.csv": windows, "real/calm.csv": []})
    )
    return folder


def write_machine(path: Path, rows: int = 600, features: int = 3) -> Path:
    """A machine whose features jump for 40 rows in the middle of its test part."""
    rng = np.random.default_rng(2)
    train = rng.normal(0.5, 0.05, (rows, features)).astype(np.float32)
    test = rng.normal(0.5, 0.05, (rows, features)).astype(np.float32)
    label = np.zeros(rows, np.uint8)
    label[rows // 2 : rows // 2 + 40] = 1
    test[label == 1] += 1.0
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, train=train, test=test, test_label=label)
    return path
