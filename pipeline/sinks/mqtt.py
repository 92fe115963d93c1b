"""Outputs to topics of an MQTT broker, each acknowledged by it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence

import structlog

from pipeline.block import Records, Reject
from pipeline.encode.dead_letters import MAX_DEAD_LETTER_BYTES, dead_letter_line
from pipeline.encode.json_rows import JsonRows
from pipeline.errors import SinkError
from pipeline.monitor.health import Vitals
from pipeline.sources.kafka_access import Patience
from pipeline.sources.mqtt_access import MqttAccess
from pipeline.sources.mqtt_connection import Connection
from pipeline.sources.mqtt_topics import topic_of

log = structlog.get_logger(__name__)

MAX_UNACKNOWLEDGED = 1000  # messages on their way; beyond, sending waits
CLOSING_S = 10.0
SAY_EVERY_S = 5.0
WAITING = "mqtt sink"  # what the vitals call it


class MqttSink:
    """At-least-once, with quality of service 1: ``flush`` returns once the broker has it all.

    Outputs are JSON. Kinds in ``event_kinds`` go to ``events_topic`` (default: ``topic``), rejects
    to ``dead_letter_topic``; ``{stream}`` in the first two is the stream's name. With ``retain``
    the broker keeps the last output of each topic for whoever subscribes later.
    ``source_topic`` begins record ids. ``vitals`` tells of a broker that is waited for; ``stop``
    ends the waiting, ``closing_s`` after it was set.
    """

    def __init__(
        self,
        access: MqttAccess,
        *,
        client_id: str,
        topic: str,
        dead_letter_topic: str,
        source_topic: str,
        events_topic: str | None = None,
        event_kinds: Collection[str] = (),
        retain: bool = False,
        max_dead_letter_bytes: int = MAX_DEAD_LETTER_BYTES,
        closing_s: float = CLOSING_S,
        vitals: Vitals,
        stop: threading.Event | None = None,
    ) -> None:
        self._shown = access.shown
        self._topic = topic
        self._events_topic = events_topic if events_topic is not None else topic
        self._dead_letter_topic = dead_letter_topic
        self._event_kinds = frozenset(event_kinds)
        self._retain = retain
        self._encoder = JsonRows(source_topic)
        self._max_dead_letter_bytes = max_dead_letter_bytes
        self._closing_s = closing_s
        self._vitals = vitals
        self._stop = threading.Event() if stop is None else stop
        self._patience = Patience(access.shown, SinkError, stop)
        self._connection = Connection(
            access,
            client_id,
            SinkError,
            clean=True,
            on_acknowledged=self._acknowledged,
            on_change=self._wake,
        )
        self._open = False
        # Below: shared with the connection's thread, under the lock.
        self._changed = threading.Condition()
        self._on_their_way = self._wake_at = 0
        self._refusal = ""

    def open(self) -> None:
        """Connect; waits for a broker that is down."""
        self._vitals.wait(WAITING, f"{self._shown}: connecting")
        self._connection.start()
        self._open = True
        self._patience.until_answered("connect for outputs", self._connection.wait_up)
        self._vitals.done(WAITING)

    def send(self, records: Records) -> None:
        """Encode and send outputs; waits while too many are on their way."""
        event = records.kind in self._event_kinds
        topic = self._events_topic if event else self._topic
        payloads = self._encoder.encode(records)
        for key, value in zip(payloads.keys, payloads.values, strict=True):
            self._publish(topic_of(topic, key or b""), value, retain=self._retain and not event)

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Send dead letters, one JSON object each."""
        for one in rejects:
            line = dead_letter_line(one, self._max_dead_letter_bytes)
            self._publish(self._dead_letter_topic, line, retain=False)

    def flush(self) -> None:
        """Return when the broker has everything; raises SinkError for what it does not take."""
        self._wake_at = 0
        self._wait("deliver outputs", lambda: not self._on_their_way)

    def close(self) -> None:
        """Deliver what can be delivered within seconds and leave; twice is fine."""
        if self._open:
            self._wake_at = 0
            with self._changed:
                self._changed.wait_for(self._all_over, self._closing_s)
            self._connection.close()
        self._open = False

    def _publish(self, topic: str, value: bytes, *, retain: bool) -> None:
        if not self._open:
            raise SinkError(f"{self._topic}: the sink is not open")
        most = min(MAX_UNACKNOWLEDGED, self._connection.window)
        if self._on_their_way >= most or not self._connection.up:
            # Until half of them are through, or the two threads would wake each other for each.
            self._wake_at = most // 2
            self._wait(
                "send outputs",
                lambda: self._on_their_way <= self._wake_at and self._connection.up,
            )
        with self._changed:
            self._on_their_way += 1
        self._connection.publish(topic, value, retain=retain)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        """Until ``done``, saying in the log and to the vitals that it takes long."""
        began = said = time.monotonic()
        give_up: float | None = None
        while True:
            with self._changed:
                here = self._changed.wait_for(lambda: done() or self._over(), SAY_EVERY_S / 10)
            self._connection.check()
            if self._refusal:
                raise SinkError(f"MQTT broker {self._shown}: refuses an output: {self._refusal}")
            if here:
                self._vitals.done(WAITING)
                return
            self._vitals.renew()  # waiting for a broker is no reason to be killed
            now = time.monotonic()
            if not self._connection.up:
                self._vitals.wait(WAITING, f"{self._shown}: {self._connection.reason}")
            elif now - began >= SAY_EVERY_S:
                self._vitals.wait(WAITING, f"{self._shown}: takes long to {what}")
            if self._stop.is_set():
                give_up = give_up or now + self._closing_s
                if now > give_up:
                    self._closing_s = 0.0  # closing need not try as long again
                    raise SinkError(f"{self._shown}: told to stop while waiting to {what}")
            if now - said >= SAY_EVERY_S:
                log.warning("waiting for the broker", brokers=self._shown, to=what)
                said = now

    def _over(self) -> bool:
        return self._connection.failed or bool(self._refusal)

    def _all_over(self) -> bool:
        return not self._on_their_way or self._over()

    # Called in the connection's thread.

    def _acknowledged(self, refusal: str) -> None:
        with self._changed:
            self._on_their_way -= 1
            self._refusal = self._refusal or refusal
            if self._on_their_way <= self._wake_at or self._refusal:
                self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
