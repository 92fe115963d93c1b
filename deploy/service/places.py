"""Where a service's files lie on the device."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import ConfigError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")
STATE, CACHE = "state", "engines"  # what the configuration's folder calls these two


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of the service ``name``, as the device sees them.

    With ``user`` it is one of the user's own manager. ``root`` is the folder that stands for the
    device's ``/``; ``here`` says where in it a path lies. Raises ConfigError for a name that
    can't be one.
    """

    name: str
    user: bool = False
    root: Path = Path("/")

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            problem = "take letters, digits, dots, dashes and underscores, at most 48"
            raise ConfigError(f"service name {self.name!r}", [problem])

    @property
    def unit(self) -> str:
        """The unit's name."""
        return f"streamcell-{self.name}.service"

    @property
    def unit_file(self) -> Path:
        """The unit itself."""
        return self._units / self.unit

    @property
    def wanted(self) -> Path:
        """The link that starts it with the device (a user's: with the user's manager)."""
        target = "default.target" if self.user else "multi-user.target"
        return self._units / f"{target}.wants" / self.unit

    @property
    def folder(self) -> Path:
        """The configuration's folder, which the service only reads."""
        return configurations(user=self.user) / self.name

    @property
    def file(self) -> Path:
        """The configuration."""
        return self.folder / "pipeline.toml"

    @property
    def environment(self) -> Path:
        """Variables with the secrets that the configuration names."""
        return self.folder / "environment"

    @property
    def record(self) -> Path:
        """What was installed into the configuration's folder, a path a line."""
        return self.folder / ".installed"

    @property
    def links(self) -> dict[Path, Path]:
        """Links in the configuration's folder to the folders that the service writes to."""
        if self.user:
            state = _home("XDG_STATE_HOME", ".local/state")
            cache = _home("XDG_CACHE_HOME", ".cache")
        else:
            state, cache = Path("/var/lib"), Path("/var/cache")
        return {
            self.folder / STATE: state / "streamcell" / self.name,
            self.folder / CACHE: cache / "streamcell" / self.name,
        }

    @property
    def taken(self) -> set[str]:
        """What the configuration's folder has of its own: no other file may have these names."""
        return {path.name for path in (self.file, self.environment, self.record, *self.links)}

    @property
    def written(self) -> list[Path]:
        """The folders that the service writes to, and where systemd really keeps them."""
        found = [*self.links.values()]
        if not self.user:  # a dynamic user's folders are links to private ones
            found += [path.parents[1] / "private" / "streamcell" / self.name for path in found]
        return found

    def here(self, path: Path) -> Path:
        """Where a path of the device lies on this machine."""
        return self.root / path.relative_to("/")

    def holds(self, name: str) -> bool:
        """Whether a relative path stays in the configuration's folder, also through links."""
        path, folder = PurePosixPath(name), self.here(self.folder)
        if path.is_absolute() or ".." in path.parts:
            return False
        return (folder / path).parent.resolve().is_relative_to(folder.resolve())

    @property
    def _units(self) -> Path:
        if self.user:
            return _home("XDG_CONFIG_HOME", ".config") / "systemd/user"
        return Path("/etc/systemd/system")


def configurations(*, user: bool) -> Path:
    """The folder that has one for each service."""
    return (_home("XDG_CONFIG_HOME", ".config") if user else Path("/etc")) / "streamcell"


def installed(*, user: bool, root: Path = Path("/")) -> list[str]:
    """The names of the services that are installed."""
    folder = root / configurations(user=user).relative_to("/")
    return sorted(path.parent.name for path in folder.glob("*/.installed"))


def _home(variable: str, default: str) -> Path:
    """A folder of the user by the XDG base directory specification; relative ones do not count."""
    given = Path(os.environ.get(variable, ""))
    return given if given.is_absolute() else Path.home() / default
