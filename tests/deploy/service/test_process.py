"""The process of a service, with a stand-in for systemd: ready, watched, reloaded, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

import deploy.service.install as installing
from deploy.service.install import install
from deploy.service.places import Places
from tests.deploy.service.site import ROW, made_site
from tests.deploy.service.supervisor import PATIENCE_S, Supervisor, settings

# Assembling waits while the file `hold` is there, the loop stands still while `freeze` is; a loop
# counts as hanging after half a second in place of half a minute.
PLANTED = """
import sys, time
from pathlib import Path
import pipeline.monitor.health as health
health.Vitals.__init__.__defaults__ = (0.5, time.monotonic)
import deploy.daemon.runner as runner
from pipeline.loop import Loop

def gated(name, before):
    def wait(*arguments, **options):
        while Path(sys.argv[2]).with_name(name).exists():
            time.sleep(0.02)
        return before(*arguments, **options)
    return wait

runner.assemble = gated("hold", runner.assemble)
Loop._fill = gated("freeze", Loop._fill)
from deploy.cli import main
main()
"""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of rows that a pipeline follows."""
    path = tmp_path / "rows.jsonl"
    path.write_text(ROW)
    return path


def test_ready_when_assembled_and_watched_while_the_loop_turns(tmp_path: Path, rows: Path) -> None:
    """A loop that hangs gets no word to the watchdog, though the process lives."""
    file = made_site(tmp_path, rows)
    hold, freeze = tmp_path / "hold", tmp_path / "freeze"
    hold.touch()
    with Supervisor(tmp_path) as systemd:
        systemd.start([sys.executable, "-c", PLANTED, "run", str(file)])
        deadline = time.monotonic() + PATIENCE_S
        while "monitor listening" not in systemd.said():
            assert time.monotonic() < deadline, systemd.said()
            time.sleep(0.02)
        assert systemd.heard(0.5) == []
        hold.unlink()
        assert systemd.until("READY=1") == ["READY=1", "STATUS=running pumps"]
        systemd.until("WATCHDOG=1")
        freeze.touch()
        while systemd.heard(1.0):  # silent for ten times as long as from word to word
            assert time.monotonic() < deadline + PATIENCE_S
        assert systemd.heard(0.5) == []
        freeze.unlink()
        systemd.until("WATCHDOG=1")


def test_the_unit_runs(tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it starts, reloads with and stops with does that; every step is told."""
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    command = Path(sysconfig.get_path("scripts")) / "streamcell"
    monkeypatch.setattr(installing, "program", lambda **_: command)
    places = Places("pumps", user=True)
    unit = install(made_site(tmp_path / "site", rows), places, manager=None).unit
    variables = dict(word[0].split("=") for word in settings(unit, "Environment"))
    with Supervisor(tmp_path) as systemd:
        systemd.start(settings(unit, "ExecStart")[0], **variables)
        systemd.until("READY=1")
        places.file.write_text(places.file.read_text().replace('"pumps"', '"fans"'))
        [reload] = settings(unit, "ExecReload")
        order = [str(systemd.pid) if word == "$MAINPID" else word for word in reload]
        subprocess.run(order, check=True, timeout=PATIENCE_S)
        systemd.until("RELOADING=1")
        assert "STATUS=running fans" in systemd.until("READY=1")
        systemd.signal(signal.SIGTERM)
        systemd.until("STOPPING=1")
        assert systemd.end() == 0, systemd.said()
    written = next(iter(places.links.values()))
    assert {"pumps.sqlite", "fans.sqlite", "out.jsonl"} <= {path.name for path in written.iterdir()}


def test_a_hang_leaves_what_each_thread_did_in_the_journal(tmp_path: Path, rows: Path) -> None:
    """The watchdog's signal is SIGABRT; the unit's environment makes Python tell its stacks."""
    file = made_site(tmp_path, rows)
    with Supervisor(tmp_path) as systemd:
        systemd.start([sys.executable, "-m", "deploy", "run", str(file)], PYTHONFAULTHANDLER="1")
        systemd.until("READY=1")
        systemd.signal(signal.SIGABRT)
        assert systemd.end() == -signal.SIGABRT
        assert "pipeline/loop.py" in systemd.log.read_text()
        assert os.sep + "deploy/daemon/runner.py" in systemd.log.read_text()
