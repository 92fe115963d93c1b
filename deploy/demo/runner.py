"""The pipeline as its user would run it: ``streamcell run`` in a process of its own."""

from __future__ import annotations

import secrets
import time
import urllib.error
import urllib.request
from pathlib import Path

from deploy.demo.children import Child, streamcell_command, streamcell_environment
from pipeline.errors import StreamcellError

READY_S = 60.0


class PipelineEndedError(StreamcellError):
    """The pipeline's process ended by itself; the message holds the end of its log."""


class Runner:
    """Starts, watches, crashes and stops the pipeline of one configuration file."""

    def __init__(self, config: Path, port: int, log: Path) -> None:
        self.config = config
        self.port = port
        self.token = secrets.token_urlsafe(18)
        self.url = f"http://127.0.0.1:{port}"
        self._child = Child(
            "pipeline",
            streamcell_command("run", str(config)),
            log,
            streamcell_environment(STREAMCELL_TOKEN=self.token),
        )

    @property
    def page(self) -> str:
        """The live page's address, with the token that opens it."""
        return f"{self.url}/?token={self.token}"

    def start(self) -> None:
        """Start the process, without waiting."""
        self._child.start()

    def ready(self) -> bool:
        """Whether it has recovered and its source is up; raises PipelineEndedError."""
        self.check()
        try:
            # The address is this machine's, and the scheme is fixed.
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=1) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self) -> None:
        """Wait until it is ready; raises PipelineEndedError where that takes over a minute."""
        deadline = time.monotonic() + READY_S
        while not self.ready():
            if time.monotonic() > deadline:
                raise PipelineEndedError(
                    f"the pipeline is not ready after {READY_S:g} s (see {self.url}/readyz); "
                    + self._log_end()
                )
            time.sleep(0.05)

    def check(self) -> None:
        """Raise PipelineEndedError if the process has ended by itself."""
        code = self._child.ended
        if code is not None:
            raise PipelineEndedError(f"the pipeline ended with exit code {code}; {self._log_end()}")

    def crash(self) -> None:
        """Kill it without a warning (SIGKILL)."""
        self._child.kill()

    def stop(self) -> None:
        """Stop it cleanly (SIGTERM); raises PipelineEndedError for an exit code other than 0."""
        code = self._child.stop()
        if code:
            raise PipelineEndedError(
                f"the pipeline did not stop cleanly (exit code {code}); {self._log_end()}"
            )

    def kill(self) -> None:
        """End it at once if it still runs; twice is fine."""
        self._child.kill()

    def _log_end(self) -> str:
        return f"its log {self._child.log} ends:\n{self._child.last_lines()}"
