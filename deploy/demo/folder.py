"""The demo's folder: its own, emptied of the last run's files, and used by one demo at a time."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import ConfigError

MARK = ".streamcell-demo"


@contextmanager
def demo_folder(folder: Path) -> Iterator[None]:
    """Make ``folder`` or empty it, and hold it; raises ConfigError where that can't be.

    Only a folder that an earlier demo made is emptied: it holds a file that says so.
    """
    mark = folder / MARK
    try:
        if folder.is_dir() and not mark.exists() and any(folder.iterdir()):
            raise ConfigError(
                f"--out {folder}", ["it holds other files; name a new folder, or an empty one"]
            )
        folder.mkdir(parents=True, exist_ok=True)
        with mark.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigError(
                    f"--out {folder}", ["another demo is running in it; name another folder"]
                ) from error
            _empty(folder, mark)
            yield
    except OSError as error:
        problem = f"can't use it: {error.strerror} ({error.filename})"
        raise ConfigError(f"--out {folder}", [problem]) from error


def _empty(folder: Path, mark: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != mark:
            path.unlink()
