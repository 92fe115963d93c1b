"""What may come while the process is still being started."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.deploy.daemon.place import PATIENCE_S, Place, until
from tests.processes import gone_afterwards

# What the interpreter tells on stderr of the first module that `run` alone needs.
IMPORTING = re.compile(r"\| +deploy\.daemon$", re.MULTILINE)


def test_a_reload_that_comes_too_early_ends_nothing(tmp_path: Path) -> None:
    """Whoever manages the process may not know that its signals are not heard yet."""
    place = Place(tmp_path)
    place.bundle("press")
    place.configure("press")
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "deploy", "run", str(place.file)],
            stderr=stderr,
        )
    with gone_afterwards(process):
        until(lambda: IMPORTING.search(log.read_text()), "its modules are imported")
        sent = 0
        deadline = time.monotonic() + PATIENCE_S
        while '"event":"started"' not in log.read_text():
            assert process.poll() is None, f"it ended with {process.returncode}"
            assert time.monotonic() < deadline, "it never came up"
            process.send_signal(signal.SIGHUP)
            sent += 1
            time.sleep(0.02)
        assert sent > 1
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
