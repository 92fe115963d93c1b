"""The audio files of a folder, and what they are named in outputs: each name once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.audio.files import SUFFIXES, shown
from pipeline.audio.rows import clean_name
from pipeline.errors import SourceError


def audio_paths(path: Path) -> dict[str, Path]:
    """The file ``path``, or those in the folder and its folders: by their names in it, in order.

    None where there is nothing. Raises SourceError where two have one name.
    """
    if not path.is_dir():
        return {path.name: path} if path.is_file() else {}
    found: dict[str, Path] = {}
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in SUFFIXES and file.is_file():
            name = clean_name(file.relative_to(path).parts)
            if name in found:  # they differ in bytes that are no text
                raise _ambiguous(path, name, found[name], file)
            found[name] = file
    return dict(sorted(found.items()))


def check_streams(folder: Path, files: Iterable[tuple[Path, Sequence[bytes]]]) -> None:
    """Raise SourceError where two files of ``folder`` have a stream of one name."""
    known: dict[bytes, Path] = {}
    for path, keys in files:
        for key in keys:
            other = known.setdefault(key, path)
            if other is not path:
                raise _ambiguous(folder, key.decode(), other, path)


def _ambiguous(folder: Path, name: str, *paths: Path) -> SourceError:
    return SourceError(
        f"{' and '.join(map(shown, paths))} would both be named {name!r} in outputs; rename one "
        f"of them, or put it into a folder of its own in {shown(folder)}"
    )
