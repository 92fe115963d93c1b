"""Several instances of one pipeline in one process, each polling only when it is told to.

Every instance runs in a thread of its own and waits before each poll, so that a test decides who
goes on and which partitions come and go, and the same seed gives the same run.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

from pipeline.block import Polled
from pipeline.loop import Loop
from pipeline.sources.memory import ListSource
from tests.pipeline.harness import Rig

PATIENCE_S = 60


class Instance:
    """One run of a rig's pipeline that holds ``partitions``; parked before its first poll."""

    def __init__(self, rig: Rig, partitions: Collection[int]) -> None:
        self.error: BaseException | None = None
        self.held = set(partitions)
        self.rig = rig
        self._loop: Loop = rig.loop()
        source = self._loop._source
        assert isinstance(source, ListSource)
        self.source = source
        self._go, self._parked = threading.Semaphore(0), threading.Semaphore(0)
        self._stop = threading.Event()
        source._coming, source._follow = set(partitions), True
        poll = source.poll

        def wait_and_poll(timeout_s: float) -> Polled:
            self._parked.release()
            assert self._go.acquire(timeout=PATIENCE_S)
            return poll(timeout_s)

        source.poll = wait_and_poll  # type: ignore[method-assign]  # the test's hand on the brake
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._wait()

    def _run(self) -> None:
        try:
            self._loop.run(self._stop)
        except BaseException as error:  # a planned crash is no Exception
            self.error = error
        finally:
            self._parked.release()

    def _wait(self) -> None:
        assert self._parked.acquire(timeout=PATIENCE_S)
        if self.ended:
            self._thread.join(PATIENCE_S)

    @property
    def ended(self) -> bool:
        """Whether the run is over, by ``stop`` or by ``error``."""
        return self.error is not None or self._stop.is_set()

    def turn(self) -> None:
        """One poll, and all that the loop does until the next."""
        self._go.release()
        self._wait()

    def stop(self) -> None:
        """Let it finish; raises what went wrong."""
        self._stop.set()
        self._go.release()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def assign(self, partitions: Collection[int]) -> None:
        """The next poll brings these partitions."""
        self.held |= set(partitions)
        self.source.assign(partitions)

    def revoke(self, partitions: Collection[int]) -> None:
        """The next poll takes these partitions away in good order."""
        self.held -= set(partitions)
        self.source.revoke(partitions)

    def lose(self, partitions: Collection[int]) -> None:
        """The next poll finds these partitions gone."""
        self.held -= set(partitions)
        self.source.lose(partitions)
