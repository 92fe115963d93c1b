"""Polling kafka-python in a group, so that rebalance callbacks reach the caller's own thread.

kafka-python awaits a rebalance listener on its event loop, while the thread that called ``poll``
is blocked until the listener is done. What happens in a rebalance here (finish the batch,
commit, load states) needs requests to the broker, and parts that belong to one thread. So ``poll``
runs in a helper thread, and the caller waits for a mailbox into which both the records and the
listener's questions come.

The helper also polls on by itself while the member joins: the library throws a join away that
ends while nobody polls, and begins it anew, so that a busy member might never get through.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.future import Future
from kafka.structs import MemberState

Records = dict[TopicPartition, list[Any]]
OnRebalance = Callable[[str, list[int]], None]  # "assigned", "revoked" or "lost", partitions

JOIN_S = 5.0
CLOSING_MS = 5000
JOINING_MS = 100


class GroupPoller:
    """Subscribes ``consumer`` to ``topic``; ``on_rebalance`` is called from within ``poll``."""

    def __init__(self, consumer: KafkaConsumer, topic: str, on_rebalance: OnRebalance) -> None:
        self._consumer = consumer
        self._on_rebalance = on_rebalance
        self._jobs: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
        self._mail: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._polling = False
        self._told = False  # of a first assignment
        self._failure: BaseException | None = None
        self.closing = False
        consumer.subscribe([topic], listener=_Listener(self))
        self._thread = threading.Thread(target=self._serve, name="kafka-python poll", daemon=True)
        self._thread.start()

    def poll(self, timeout_ms: int, count: int) -> Records:
        """What ``consumer.poll`` returns or raises, or what ``on_rebalance`` raised."""
        if not self._polling:  # an interrupt may have left a poll unanswered
            self._jobs.put((timeout_ms, count))
            self._polling = True
        while True:
            mail = self._mail.get()
            if isinstance(mail, _Question):
                self._answer(mail)
                continue
            self._polling = False
            if not self._told and self._failure is None and not self._joining():
                # The library says nothing to a member that gets no partitions.
                self._told = True
                self._on_rebalance("assigned", [])
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            if isinstance(mail, BaseException):
                raise mail
            records: Records = mail
            return records

    def close(self) -> None:
        """Leave the group; the listener is not heard any more."""
        self.closing = True
        self._jobs.put(None)
        while not self._mail.empty():
            mail = self._mail.get()
            if isinstance(mail, _Question):
                self.done(mail)
        self._consumer.close(autocommit=False, timeout_ms=CLOSING_MS)
        self._thread.join(JOIN_S)

    def ask(self, call: str, partitions: Iterable[TopicPartition]) -> Future:
        """Called on the event loop: a future that is done when ``on_rebalance`` has returned."""
        question = _Question(call, sorted(one.partition for one in partitions))
        self._mail.put(question)
        return question.answered

    def done(self, question: _Question) -> None:
        """Let the event loop go on."""
        # The loop has no public way to be told something from another thread.
        self._consumer._net.call_soon_threadsafe(lambda: question.answered.success(None))

    def _answer(self, question: _Question) -> None:
        try:
            if self._failure is None:
                self._told = True
                self._on_rebalance(question.call, question.partitions)
        except BaseException as failure:  # raised in poll, once the loop is free
            self._failure = failure
        finally:
            self.done(question)

    def _serve(self) -> None:
        early: deque[Any] = deque()
        while (job := self._jobs.get()) is not None:
            timeout_ms, count = job
            self._mail.put(early.popleft() if early else self._polled(timeout_ms, count))
            while self._jobs.empty() and not early and not self.closing and self._joining():
                if found := self._polled(JOINING_MS, count):
                    early.append(found)

    def _polled(self, timeout_ms: int, count: int) -> Any:
        """Records, or the error in their place."""
        try:
            return self._consumer.poll(timeout_ms=timeout_ms, max_records=count)
        except BaseException as failure:  # the caller's to see
            return failure

    def _joining(self) -> bool:
        return bool(self._consumer.group_metadata().state != MemberState.STABLE)


class _Question:
    """One callback of the group, on its way to the caller's thread."""

    def __init__(self, call: str, partitions: list[int]) -> None:
        self.call = call
        self.partitions = partitions
        self.answered = Future()


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # kafka ships no types
    def __init__(self, poller: GroupPoller) -> None:
        self._poller = poller

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._ask("assigned", assigned)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._ask("revoked", revoked)

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        await self._ask("lost", lost)

    async def _ask(self, call: str, partitions: Iterable[TopicPartition]) -> None:
        if not self._poller.closing:
            await self._poller.ask(call, partitions)
