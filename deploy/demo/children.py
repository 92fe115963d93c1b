"""Processes that the demo starts: logged to a file, and gone when the demo is, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Waits for a word; if the pipe closes without it, whoever held it was killed.
_GUARD = 'read -r word; [ "$word" = done ] || kill -KILL "$1" 2>/dev/null'
KILL_AFTER_S = 30.0


class Child:
    """One process at a time; both of its outputs are appended to ``log``.

    It gets a session of its own, so that Ctrl-C reaches the demo alone, which then stops its
    children in the right order. A guard beside it kills it should the demo itself be killed.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; raises OSError where it can't be executed."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is the demo's own
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                start_new_session=True,
            )
        self._guard = subprocess.Popen(  # noqa: S603 - a constant script and a process number
            ["/bin/sh", "-c", _GUARD, "guard", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def ended(self) -> int | None:
        """The exit code, None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def pid(self) -> int:
        """Its process number; 0 while it does not run."""
        return 0 if self._process is None else self._process.pid

    def stop(self) -> int | None:
        """End it cleanly (SIGTERM), or by force where that takes too long; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Crash it (SIGKILL)."""
        self._end(signal.SIGKILL)

    def last_lines(self, count: int = 15) -> str:
        """The end of its log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-count:])

    def _end(self, how: signal.Signals) -> int | None:
        process, self._process = self._process, None
        guard, self._guard = self._guard, None
        if process is None:
            return None
        try:
            if process.poll() is None:
                process.send_signal(how)
            process.wait(KILL_AFTER_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Also on a second Ctrl-C while waiting.
            if process.poll() is None:
                process.kill()
            code = process.wait()
            if guard is not None:
                guard.communicate(b"done\n")
        return code


def streamcell_command(*arguments: str) -> list[str]:
    """The command line of this very installation, whatever lies in the working directory."""
    return [sys.executable, "-P", "-m", "deploy", *arguments]


def streamcell_environment(**more: str) -> dict[str, str]:
    """The environment for ``streamcell_command``, with variables of one's own."""
    root = str(Path(__file__).parents[2])
    found = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{found}" if found else root, **more}
