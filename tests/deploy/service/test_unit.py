"""The units, as systemd's own tools judge them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from deploy.service import unit
from deploy.service.contents import Needs
from deploy.service.places import Places
from deploy.service.unit import WRITTEN, program, unit_text
from pipeline.errors import FencedError, StreamcellError
from tests.deploy.service.supervisor import settings
from tests.shared import missing

PLAIN = Needs(cameras=False, microphone=False, gpu=False)
EVERYTHING = Needs(cameras=True, microphone=True, gpu=True)
ALL_NEEDS = {
    "plain": PLAIN,
    "cameras": Needs(cameras=True, microphone=False, gpu=False),
    "microphone": Needs(cameras=False, microphone=True, gpu=False),
    "gpu": Needs(cameras=False, microphone=False, gpu=True),
    "everything": EVERYTHING,
}
# Exposure by systemd-analyze, from 0 to 10, in tenths; 20 and less is "OK", its second best grade.
MOST_EXPOSED = {"plain": 16, "everything": 18}


def analyze(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, which wants a runtime folder for a user's units."""
    if shutil.which("systemd-analyze") is None:
        missing("needs systemd-analyze (Debian: systemd)")
    return subprocess.run(
        ["systemd-analyze", *words],
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder), "SYSTEMD_COLORS": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def written(folder: Path, needed: Needs, *, user: bool = False) -> Path:
    """A unit in a file, which runs a program that is there."""
    places = Places("pumps", user)
    path = folder / places.unit
    path.write_text(unit_text(places, needed, Path(sys.executable)))
    return path


def errors(kind: type[StreamcellError]) -> list[type[StreamcellError]]:
    """An error and all that are derived from it."""
    return [kind, *(each for below in kind.__subclasses__() for each in errors(below))]


def verified(path: Path, *, user: bool = False) -> str:
    """What systemd has to say against a unit: it exits with 0 on unknown keys, but names them."""
    done = analyze(path.parent, *(["--user"] if user else []), "verify", str(path))
    return f"exit {done.returncode}" * bool(done.returncode) + done.stdout + done.stderr


@pytest.mark.parametrize("user", [False, True], ids=["system", "user"])
@pytest.mark.parametrize("needed", ALL_NEEDS)
def test_systemd_has_nothing_to_say_against_it(tmp_path: Path, needed: str, user: bool) -> None:
    """No message, whatever the pipelines read."""
    assert verified(written(tmp_path, ALL_NEEDS[needed], user=user), user=user) == ""


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ("ProtectEverything=yes", "ProtectEverything"),
        ("WatchdogSec=soon", "Failed to parse sec value"),
        ("SystemCallFilter=@no-such-group", "Unknown system call group"),
    ],
    ids=["key", "value", "group"],
)
def test_a_planted_mistake_is_told(tmp_path: Path, planted: str, said: str) -> None:
    """The check above would find it."""
    path = written(tmp_path, PLAIN)
    path.write_text(path.read_text().replace("\n[Install]", f"{planted}\n\n[Install]"))
    assert said in verified(path)


@pytest.mark.parametrize("needed", MOST_EXPOSED)
def test_it_is_shielded(tmp_path: Path, needed: str) -> None:
    """The exposure stays what it is; without its rules it would be seen."""
    path = written(tmp_path, ALL_NEEDS[needed])
    most = f"--threshold={MOST_EXPOSED[needed]}"
    words = ("security", "--offline=true", "--no-pager")
    done = analyze(tmp_path, *words, most, str(path))
    assert done.returncode == 0, done.stdout
    path.write_text(path.read_text().replace("DynamicUser=yes\n", ""))
    assert analyze(tmp_path, *words, most, str(path)).returncode != 0


def test_a_device_is_open_to_those_who_read_it_only() -> None:
    """And code is made at run time only where a library does that."""
    plain = unit_text(Places("x"), PLAIN, Path("/bin/true"))
    everything = unit_text(Places("x"), EVERYTHING, Path("/bin/true"))
    assert "PrivateDevices=yes" in plain
    assert "MemoryDenyWriteExecute=yes" in plain
    assert "DeviceAllow" not in plain
    assert "SupplementaryGroups=audio video\n" in everything
    for line in ("PrivateDevices=yes", "MemoryDenyWriteExecute=yes"):
        assert line not in everything


def test_a_gpu_is_open_on_jetson_too() -> None:
    """Its memory is a device of no class of its own: /proc/devices has no nvmap there."""
    text = unit_text(Places("x"), ALL_NEEDS["gpu"], Path("/bin/true"))
    assert settings(text, "DeviceAllow") == [
        ["char-nv*", "rw"],
        ["/dev/nvmap", "rw"],
        ["char-drm", "rw"],
    ]


@pytest.mark.parametrize("user", [False, True], ids=["system", "user"])
def test_who_was_fenced_stays_away(user: bool) -> None:
    """Another instance took over; every other error has it started again."""
    text = unit_text(Places("x", user), PLAIN, Path("/bin/true"))
    assert text.startswith(WRITTEN)
    assert settings(text, "Restart") == [["on-failure"]]
    assert settings(text, "RestartPreventExitStatus") == [[str(FencedError.exit_code)]]
    others = [kind for kind in errors(StreamcellError) if kind is not FencedError]
    assert FencedError.exit_code not in {kind.exit_code for kind in others}


def test_a_users_unit_is_the_systems_with_less() -> None:
    """So that a rule that changes in one changes in both."""

    def lines(user: bool) -> set[str]:
        places = Places("x", user)
        return set(re.findall(r"^\w+=.*$", unit_text(places, PLAIN, Path("/bin/true")), re.M))

    own = lines(user=True) - lines(user=False)
    assert {line.partition("=")[0] for line in own} == {"ExecStart", "EnvironmentFile", "WantedBy"}


def test_a_path_with_odd_characters_stays_one_word(tmp_path: Path) -> None:
    """A space, and a percent sign, which would begin a specifier."""
    folder = tmp_path / "a b%n"
    folder.mkdir()
    odd = folder / "streamcell"
    odd.symlink_to(sys.executable)
    path = tmp_path / "streamcell-pumps.service"
    path.write_text(unit_text(Places("pumps"), PLAIN, odd))
    assert verified(path) == ""
    odd.unlink()
    assert "not executable" in verified(path)


@pytest.mark.parametrize("character", ['"', "$", "\n"], ids=["quote", "dollar", "newline"])
def test_a_path_that_no_unit_can_name_is_refused(character: str) -> None:
    """It could add settings to the unit."""
    with pytest.raises(StreamcellError, match="take another"):
        unit_text(Places("pumps"), PLAIN, Path(f"/opt/a{character}b/streamcell"))


def test_a_program_that_a_service_can_not_see_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation in a home folder works for a user's own service only."""
    folder = program(user=True).parent
    monkeypatch.setattr(unit, "HIDDEN", (folder,))
    with pytest.raises(StreamcellError, match="--user"):
        program(user=False)
    assert program(user=True).parent == folder


def test_a_program_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where streamcell runs from its sources."""
    monkeypatch.setattr(sysconfig, "get_path", {"scripts": str(tmp_path)}.get)
    with pytest.raises(StreamcellError, match="pip"):
        program(user=True)
