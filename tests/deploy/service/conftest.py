"""Fixtures of the service's tests: a device's root folder, and a program that it may run."""

from __future__ import annotations

from pathlib import Path

import pytest

import deploy.service.install as installing
from tests.deploy.service.site import made_site


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A stand-in for the command: this one may be installed where a service sees nothing."""
    path = tmp_path / "streamcell"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)

    def found(*, user: bool) -> Path:
        return path

    monkeypatch.setattr(installing, "program", found)
    return path


@pytest.fixture
def site(tmp_path: Path, program: Path) -> Path:
    """A configuration that can be installed."""
    return made_site(tmp_path / "site", Path("/srv/rows.jsonl"))


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """What stands for the device's root folder."""
    folder = tmp_path / "device"
    folder.mkdir()
    return folder
