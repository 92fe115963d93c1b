"""Writes and removes a service's files, and says of each what became of it."""

from __future__ import annotations

import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from deploy.service.places import Places


@dataclass
class Files:
    """Files of the device below ``places.root``; ``dry`` only says what would be done.

    ``changed`` are the paths whose content became another, as the device sees them.
    """

    places: Places
    dry: bool = False
    changed: list[Path] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def write(self, path: Path, content: bytes, mode: int) -> None:
        """Make a file what it should be; one with this content already keeps its time."""
        here = self.places.here(path)
        if here.is_file() and here.read_bytes() == content:
            # What a link leads to is not this service's to close or to open.
            if here.is_symlink() or stat.S_IMODE(here.stat().st_mode) == mode:
                self.said.append(f"unchanged  {path}")
            else:
                self._say(f"mode {mode:o}", f"would set mode {mode:o}", path)
                if not self.dry:
                    here.chmod(mode)
        else:
            self._change("wrote", "would write", path)
            if not self.dry:
                self.folder(path.parent)
                new = here.with_name(f".{here.name}.new")
                try:
                    new.touch(mode)
                    new.chmod(mode)
                    new.write_bytes(content)
                    new.replace(here)
                finally:
                    new.unlink(missing_ok=True)

    def link(self, path: Path, target: Path) -> None:
        """A symbolic link, with a target as the device sees it."""
        here = self.places.here(path)
        if here.is_symlink() and here.readlink() == target:
            self.said.append(f"unchanged  {path}")
        else:
            self._change("linked", "would link", path)
            if not self.dry:
                self.folder(path.parent)
                here.unlink(missing_ok=True)
                here.symlink_to(target)

    def folder(self, path: Path) -> None:
        """A folder that everybody may look into."""
        here = self.places.here(path)
        missing = [one for one in (here, *here.parents) if not one.exists()]
        for one in () if self.dry else reversed(missing):
            one.mkdir()
            one.chmod(0o755)

    def remove(self, path: Path) -> None:
        """Remove a file or a link, if it is there."""
        here = self.places.here(path)
        if here.is_symlink() or here.is_file():
            self._change("removed", "would remove", path)
            if not self.dry:
                here.unlink()

    def remove_all(self, path: Path) -> None:
        """Remove a folder with all that is in it, or the link to one."""
        here = self.places.here(path)
        if here.is_dir() and not here.is_symlink():
            self._change("removed", "would remove", path)
            if not self.dry:
                shutil.rmtree(here)
        else:
            self.remove(path)

    def remove_empty(self, path: Path) -> None:
        """Remove a folder in which nothing is left."""
        here = self.places.here(path)
        if not self.dry and here.is_dir() and not any(here.iterdir()):
            here.rmdir()

    def _change(self, done: str, ahead: str, path: Path) -> None:
        self.changed.append(path)
        self._say(done, ahead, path)

    def _say(self, done: str, ahead: str, path: Path) -> None:
        self.said.append(f"{ahead if self.dry else done:<10} {path}")
