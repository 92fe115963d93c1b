"""What systemd is told, by a stand-in for systemctl that writes it down."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.service import manager
from deploy.service.install import install, uninstall
from deploy.service.manager import Manager, manager_here, running
from deploy.service.places import Places
from pipeline.errors import StreamcellError

SYSTEMCTL = """#!/bin/sh
echo "$*" >> "{folder}/told"
case "$*" in
  *show*) cat "{folder}/shown" ;;
  *{refused}*) echo "Job failed. See journalctl." >&2; exit 1 ;;
esac
"""
UNIT = "streamcell-pumps.service"


class Systemctl:
    """The stand-in: ``told`` are the orders, ``shows`` sets what units it knows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.shows("not-found", "inactive")
        self.refuses("nothing")

    def shows(self, load: str, active: str) -> None:
        """From now on the unit is so."""
        text = f"LoadState={load}\nActiveState={active}\nSubState=running\nMainPID=7\nNRestarts=2\n"
        (self._folder / "shown").write_text(text)

    def refuses(self, word: str) -> None:
        """Orders with this word fail."""
        program = self._folder / "systemctl"
        program.write_text(SYSTEMCTL.format(folder=self._folder, refused=word))
        program.chmod(0o755)

    def told(self) -> list[str]:
        """The orders since the last look, but for questions."""
        path = self._folder / "told"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line.replace("--no-pager ", "") for line in lines if " show " not in line]


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemctl:
    """In the place of the real one, on a machine that seems to run systemd."""
    folder = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "systemd").mkdir()
    monkeypatch.setattr(manager, "BOOTED", tmp_path / "systemd")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return Systemctl(folder)


def test_a_new_service_is_started_now_and_with_the_device(
    site: Path, device: Path, systemctl: Systemctl
) -> None:
    """After systemd has looked at the units."""
    done = install(site, Places("pumps", root=device), manager=manager_here(user=False))
    assert systemctl.told() == ["daemon-reload", f"enable --now {UNIT}"]
    assert done.said[-1] == f"started    {UNIT}, now and with the device"


def test_one_that_runs_takes_over_what_changed(
    site: Path, device: Path, systemctl: Systemctl
) -> None:
    """A new configuration is read, new secrets need a new start, no change needs nothing."""
    places, told = Places("pumps", root=device), ["daemon-reload", f"enable --now {UNIT}"]
    install(site, places, manager=None)
    systemctl.shows("loaded", "active")

    def orders(environment: Path | None = None) -> list[str]:
        install(site, places, manager=Manager(user=False), environment=environment)
        return systemctl.told()

    assert orders() == told
    site.write_text(site.read_text() + "# new\n")
    assert orders() == [*told, f"reload {UNIT}"]
    secrets = site.with_name("secrets")
    secrets.write_text("A=b\n")
    assert orders(secrets) == [*told, f"restart {UNIT}"]
    assert orders(secrets) == told


def test_taking_away_stops_it_first(site: Path, device: Path, systemctl: Systemctl) -> None:
    """One that systemd does not know is taken away too."""
    places = Places("pumps", root=device)
    install(site, places, manager=None)
    systemctl.shows("loaded", "active")
    uninstall(places, manager=Manager(user=False))
    assert systemctl.told() == [f"disable --now {UNIT}", "daemon-reload"]
    install(site, places, manager=None)
    systemctl.shows("not-found", "inactive")
    uninstall(places, manager=Manager(user=False))
    assert systemctl.told() == ["daemon-reload"]


def test_a_users_own_manager_gets_the_orders(systemctl: Systemctl) -> None:
    """Root is not needed for that."""
    Manager(user=True).start(UNIT, restart=False, reload=False)
    assert systemctl.told() == ["--user daemon-reload", f"--user enable --now {UNIT}"]


def test_a_refusal_is_told(systemctl: Systemctl) -> None:
    """With systemd's own words."""
    systemctl.refuses("enable")
    with pytest.raises(StreamcellError, match=r"enable --now .*Job failed\. See journalctl\."):
        Manager(user=False).start(UNIT, restart=False, reload=False)


def test_without_root_or_without_systemd_the_error_says_what_to_do(
    systemctl: Systemctl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before anything is written."""
    assert running(user=False)
    assert manager_here(user=True) == Manager(user=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(StreamcellError, match=r"sudo.*--user"):
        manager_here(user=False)
    monkeypatch.setattr(manager, "BOOTED", tmp_path / "nowhere")
    with pytest.raises(StreamcellError, match=r"--root"):
        manager_here(user=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with pytest.raises(StreamcellError, match="no systemd of yours"):
        manager_here(user=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not running(user=True)
