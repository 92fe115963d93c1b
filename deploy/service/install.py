"""Puts a configuration onto the device as a service, and takes it away again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deploy.service.contents import check_paths, named_files, needs, told_passwords
from deploy.service.files import Files
from deploy.service.manager import Manager
from deploy.service.places import Places
from deploy.service.unit import WRITTEN, program, unit_text
from pipeline.assemble_model import open_model
from pipeline.config import Config, load_config
from pipeline.errors import ConfigError, StreamcellError

ENVIRONMENT = b"""\
# Secrets that the configuration names, NAME=VALUE a line. Then: systemctl restart the service.
"""
KEPT = ("PATH", "HOME", "LANG")  # what of the installer's environment a service has too


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, a line each, and the unit's text."""

    said: list[str]
    unit: str


def install(
    file: Path,
    places: Places,
    *,
    manager: Manager | None,
    environment: Path | None = None,
    dry: bool = False,
) -> Outcome:
    """Write what the service consists of, then let the manager start it or take the changes over.

    ``environment`` is a file with the secrets. Raises what ``streamcell check`` raises, and
    ConfigError for paths that the service could not use, and StreamcellError for a unit of this
    name that others wrote; then nothing is written.
    """
    secrets = _secrets(places, environment)
    config = _checked(file, secrets)
    check_paths(config, file.parent, places)
    _check_unit(places)
    unit = unit_text(places, needs(config), program(user=places.user))
    names = named_files(config, file.parent)
    files = Files(places, dry)
    beside = [places.file.name, *names, *(link.name for link in places.links)]
    gone = [name for name in _recorded(places) if name not in beside]
    _record(files, places, [*beside, *gone])  # first: what breaks off after it can be uninstalled
    files.write(places.file, file.read_bytes(), 0o644)
    for name in names:
        files.write(places.folder / name, (file.parent / name).read_bytes(), 0o644)
    for link, target in places.links.items():
        files.link(link, target)
        if places.user:  # the system's manager makes and owns its own
            files.folder(target)
    if gone:
        _remove(files, places, gone)
        _record(files, places, beside)
    content = files.changed.copy()
    if secrets is not None or not _there(places.here(places.environment)):
        files.write(places.environment, secrets or ENVIRONMENT, 0o600)
    files.write(places.unit_file, unit.encode(), 0o644)
    for camera in told_passwords(config):
        files.said.append(
            f"careful    everybody on the device can read the address of the camera {camera}, and "
            "the password in it: take url_env"
        )
    if manager is None:
        files.link(places.wanted, places.unit_file)
    elif not dry:
        restart = bool({places.environment, places.unit_file} & set(files.changed))
        files.said += manager.start(places.unit, restart=restart, reload=bool(content))
    return Outcome(files.said, unit)


def uninstall(
    places: Places, *, manager: Manager | None, purge: bool = False, dry: bool = False
) -> list[str]:
    """Stop the service and remove what ``install`` wrote; returns what was done.

    States, secrets and what others put into its folder stay; with ``purge`` states and secrets go
    too. Raises StreamcellError where nothing is installed, or others wrote the unit.
    """
    files = Files(places, dry)
    if not _there(places.here(places.record)) and not _there(places.here(places.unit_file)):
        raise StreamcellError(f"no service {places.name} is installed ({places.folder})")
    _check_unit(places)
    if manager is not None and not dry:
        files.said += manager.stop(places.unit)
    files.remove(places.wanted)
    files.remove(places.unit_file)
    _remove(files, places, _recorded(places))
    files.remove(places.record)
    if purge:
        files.remove(places.environment)
        for folder in places.written:
            files.remove_all(folder)
    elif _there(places.here(places.environment)):
        files.said.append(f"kept       {places.environment} (--purge removes it)")
    kept = [] if purge else [path for path in places.written if _there(places.here(path))]
    files.said += [f"kept       {path} (--purge removes it)" for path in kept]
    for folder in (places.folder, places.folder.parent, places.wanted.parent):
        files.remove_empty(folder)
    if manager is not None and not dry:
        files.said += manager.forget()
    return files.said


def _checked(file: Path, secrets: bytes | None) -> Config:
    """The configuration and its models, valid with these secrets and no other variables."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({name: before[name] for name in KEPT if name in before})
    os.environ.update(_variables(secrets or b""))
    try:
        config = load_config(file)
        for pipeline in config.pipeline:
            open_model(pipeline, file.parent)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return config


def _secrets(places: Places, given: Path | None) -> bytes | None:
    """The file of secrets that will hold; None is the one that there is not yet."""
    path = places.here(places.environment) if given is None else given
    if given is None and not path.exists():
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(str(path), [f"can't read the secrets: {error.strerror}"]) from error


def _variables(content: bytes) -> dict[str, str]:
    """Variables of an environment file; systemd's quotes are taken off."""
    lines = [line.strip() for line in content.decode(errors="replace").splitlines()]
    pairs = [line.partition("=") for line in lines if "=" in line and line[0] not in "#;"]
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _check_unit(places: Places) -> None:
    """Raise StreamcellError where the unit is neither recorded nor says that it is of here."""
    unit = places.here(places.unit_file)
    if not _there(unit) or _there(places.here(places.record)):
        return
    if not unit.is_file() or not unit.read_text(errors="replace").startswith(WRITTEN):
        raise StreamcellError(
            f"{places.unit_file}: `streamcell service install` did not write it; move it away, or "
            "take another name"
        )


def _recorded(places: Places) -> list[str]:
    """What an earlier installation wrote into the configuration's folder."""
    record = places.here(places.record)
    return record.read_text(encoding="utf-8").splitlines() if record.is_file() else []


def _record(files: Files, places: Places, names: list[str]) -> None:
    files.write(places.record, "".join(f"{name}\n" for name in names).encode(), 0o644)


def _remove(files: Files, places: Places, names: list[str]) -> None:
    """Remove files of the configuration's folder, and the folders in it that are empty then."""
    for name in names:
        if not places.holds(name):  # the record was made by others, or the folder was changed
            files.said.append(f"careful    {name} is not in {places.folder} and stays")
            continue
        files.remove(places.folder / name)
        for parent in PurePosixPath(name).parents:
            if parent.parts:
                files.remove_empty(places.folder / parent)


def _there(path: Path) -> bool:
    return path.is_symlink() or path.exists()
