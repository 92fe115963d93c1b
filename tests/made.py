"""Files that take seconds to make, such as exported graphs: once for all workers of a test run."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

_folders: list[Path] = []


def share(folder: Path) -> None:
    """Keep the files in ``folder``, which all workers name."""
    _folders[:] = [folder]


def made(name: str, make: Callable[[Path], object]) -> bytes:
    """What ``make`` writes to the path it is given; ``name`` tells it from everything else."""
    (folder,) = _folders
    path = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = folder / f"unfinished-{name}"
            make(unfinished)
            unfinished.rename(path)
    return path.read_bytes()
