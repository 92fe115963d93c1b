"""The manager of services on this machine: systemd, the system's or the user's."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import StreamcellError

BOOTED = Path("/run/systemd/system")  # there where systemd runs, see sd_booted(3)
PATIENCE_S = 400.0  # longer than the unit's own time to start
SHOWN = ("ActiveState", "SubState", "Result", "NRestarts", "MainPID", "MemoryCurrent", "StatusText")


@dataclass(frozen=True, slots=True)
class Manager:
    """Gives orders to systemd; each returns the lines that say what was done."""

    user: bool

    def start(self, unit: str, *, restart: bool, reload: bool) -> list[str]:
        """Start a unit now and with the device; one that runs takes what changed over."""
        self._order("daemon-reload")
        ran = self.shows(unit).get("ActiveState") == "active"
        self._order("enable", "--now", unit)
        if not ran:
            return [f"started    {unit}, now and with the {'user' if self.user else 'device'}"]
        if restart:
            self._order("restart", unit)
            return [f"restarted  {unit}"]
        if reload:
            self._order("reload", unit)
            return [f"reloaded   {unit}: what did not change goes on"]
        return [f"unchanged  {unit} runs"]

    def stop(self, unit: str) -> list[str]:
        """Stop a unit, now and for good; one that is not there is fine."""
        if self.shows(unit).get("LoadState") == "not-found":
            return []
        self._order("disable", "--now", unit)
        return [f"stopped    {unit}"]

    def forget(self) -> list[str]:
        """Let it look which units there are."""
        self._order("daemon-reload")
        return []

    def shows(self, unit: str) -> dict[str, str]:
        """Properties of a unit by their names, also of one that is not there."""
        names = ",".join(("LoadState", *SHOWN))
        lines = self._order("show", f"--property={names}", unit).splitlines()
        return dict(line.split("=", maxsplit=1) for line in lines if "=" in line)

    def _order(self, *words: str) -> str:
        command = ["systemctl", *(["--user"] if self.user else []), "--no-pager", *words]
        try:
            done = subprocess.run(  # noqa: S603  # a fixed program; names were checked
                command, capture_output=True, text=True, check=False, timeout=PATIENCE_S
            )
        except subprocess.TimeoutExpired as error:
            raise StreamcellError(f"{' '.join(command)}: no answer in {PATIENCE_S:g} s") from error
        if done.returncode:
            told = (done.stderr or done.stdout).strip()
            raise StreamcellError(f"{' '.join(command)}: {told or f'exit {done.returncode}'}")
        return done.stdout


def running(*, user: bool) -> bool:
    """Whether such a manager runs here."""
    if shutil.which("systemctl") is None:
        return False
    if user:
        return Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent"), "systemd").is_dir()
    return BOOTED.is_dir()


def manager_here(*, user: bool) -> Manager:
    """The manager that a service would be given to; raises StreamcellError without one.

    Also where this user may not give orders to it.
    """
    if not running(user=user):
        whose = "of yours " if user else ""
        raise StreamcellError(
            f"no systemd {whose}runs here: write the files for another machine with --root, see "
            "them with --dry-run, or let what manages processes here run `streamcell run FILE`"
        )
    if not user and os.geteuid() != 0:
        raise StreamcellError(
            "a service of the system needs root: run this with sudo, or take --user for a service "
            "of your own"
        )
    return Manager(user)
