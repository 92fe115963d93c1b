"""One pipeline in a thread of its own, started again where it fails."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import structlog

from deploy.daemon.models import fingerprint
from deploy.daemon.pauses import Pauses
from pipeline.allocator import give_back
from pipeline.assemble import assemble
from pipeline.config import PipelineConfig
from pipeline.errors import FencedError, StreamcellError
from pipeline.metrics import Metrics
from pipeline.monitor.health import Health, Vitals
from pipeline.monitor.live import LiveView
from pipeline.monitor.members import Condition, Member, State

log = structlog.get_logger(__name__)


class _Shown(NamedTuple):
    """What is seen of an attempt, also when it is over."""

    metrics: Metrics
    view: LiveView
    vitals: Vitals


class Runner:
    """Assembles and runs one pipeline until it ends, is stopped, or fails for good.

    Where ``restart`` says so, an error is followed by a pause and another attempt, which recovers
    from the last commit. Where another instance took over, none follows: the two would go on
    taking from each other. ``error`` is what ended it.
    """

    def __init__(
        self, config: PipelineConfig, directory: Path, *, restart: Callable[[], bool]
    ) -> None:
        self.config = config
        self.error: Exception | None = None
        self.models = ""  # the fingerprint of what the last attempt opened
        self.tried = threading.Event()  # the first attempt has been assembled, or has failed
        self._directory = directory
        self._restart = restart
        self._stop = threading.Event()
        self._shown: _Shown | None = None
        self._state: State = "starting"
        self._failure = ""
        self._restarts = 0
        self._retry_at_s = 0.0  # of the monotonic clock
        self._thread = threading.Thread(target=self._live, name=config.name)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to deliver what is in flight and to end."""
        self._stop.set()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    @property
    def over(self) -> bool:
        """Whether it has ended, by whatever."""
        return not self._thread.is_alive() and self._state != "starting"

    @property
    def troubled(self) -> bool:
        """Whether it waits for another attempt, or has ended."""
        return self._state not in ("starting", "running")

    def member(self) -> Member:
        """How it stands now; from any thread."""
        shown, state = self._shown, self._state
        retry_s = max(0.0, self._retry_at_s - time.monotonic()) if state == "restarting" else 0.0
        return Member(
            self.config.name,
            self._health,
            None if shown is None else shown.metrics.registry,
            None if shown is None else shown.view,
            Condition(state, self._failure, self._restarts, retry_s),
        )

    def _health(self) -> Health:
        shown, state = self._shown, self._state
        if state == "failed":
            return Health(0.0, self._failure)
        if state == "restarting":
            return Health(0.0, waiting=(f"restarting after: {self._failure}",))
        if state == "starting" or shown is None:
            return Health(0.0, waiting=("starting",))
        return shown.vitals() if state == "running" else Health(0.0)

    def _live(self) -> None:
        structlog.contextvars.bind_contextvars(pipeline=self.config.name)
        pauses = Pauses()
        while not self._attempted():
            pause_s = pauses.after(time.monotonic() - self._began_s)
            self._retry_at_s = time.monotonic() + pause_s
            self._state = "restarting"
            # What the attempt held would otherwise still be there when the next one needs as much.
            gc.collect()
            give_back()
            log.warning("restarting", in_s=round(pause_s, 1), restarts=self._restarts)
            if self._stop.wait(pause_s):
                self._state = "ended"
                return
            self._restarts += 1

    def _attempted(self) -> bool:
        """One attempt; True where no other follows."""
        self._began_s = time.monotonic()
        self._state = "starting"
        try:
            self._run()
        except StreamcellError as error:
            log.error("stopped by an error", error=str(error))
            return self._failed(error)
        except Exception as error:
            log.exception("stopped by a defect of streamcell")
            return self._failed(error)
        finally:
            self.tried.set()
        self._state, self._failure = "ended", ""
        return True

    def _run(self) -> None:
        self.models = fingerprint(self.config, self._directory)
        parts = assemble(self.config, self._directory, self._stop)
        self._shown = _Shown(parts.metrics, parts.view, parts.vitals)
        self._state = "running"
        self.tried.set()
        log.info(
            "running",
            guarantee=self.config.guarantee,
            engine=parts.engine.name,
            device=parts.engine.device,
        )
        parts.loop.run(self._stop)
        log.info("stopped")

    def _failed(self, error: Exception) -> bool:
        self._failure = str(error) or type(error).__name__
        if self._shown is not None:
            self._shown.view.status({"state": "failed"})
        if self._restart() and not self._stop.is_set() and not isinstance(error, FencedError):
            return False
        self.error, self._state = error, "failed"
        return True
