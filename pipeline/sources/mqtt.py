"""Rows from an MQTT broker: what it keeps for us while we are away, acknowledged once committed."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from paho.mqtt.client import MQTTMessage

from pipeline.block import Polled
from pipeline.decode.base import MAX_RECORD_BYTES, Decoder, RawRecords
from pipeline.errors import SourceError
from pipeline.monitor.health import Vitals
from pipeline.sources.base import Assignee, LogRange, Positions
from pipeline.sources.kafka_access import Patience
from pipeline.sources.mqtt_access import MqttAccess
from pipeline.sources.mqtt_connection import Connection
from pipeline.sources.mqtt_topics import matches, under_wildcards

log = structlog.get_logger(__name__)

StreamFrom = Literal["wildcards", "topic"]

# Causes of messages that are no rows, for the metric.
RETAINED = "mqtt_retained"  # an old reading that the broker tells every new subscriber
OTHER_TOPIC = "mqtt_other_topic"  # of a subscription that the session has from before

PARTITION = 0
FAR_US = 1 << 62  # a broker's messages have no end
MAX_POLL_MESSAGES = 5000
MAX_POLL_BYTES = 16 * 1024 * 1024
MAX_WAITING_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class _Arrival:
    """A message as it came. ``dropped`` is the cause where it is no row.

    ``content`` is a hash that tells whether a message of the same number is the same.
    """

    offset: int
    key: bytes
    value: bytes
    dropped: str
    content: int

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return len(self.key) + len(self.value)


class MqttSource:
    """Rows of one topic filter, with quality of service 1 and a session that the broker keeps.

    Offsets are the times of arrival in microseconds, so they go on rising after a restart, which
    begins with the states of the last snapshot: the broker gives a message again only until it is
    acknowledged, and that is when its outputs are committed. What was not is given again, under
    another offset. At most ``receive_maximum`` messages are on their way at once. Those far larger
    than ``max_record_bytes`` are not even read (MQTT 5): the broker drops them.
    ``dropped(cause, rows)`` counts messages that are no rows, ``vitals`` tells of a lost broker.
    """

    replayable = False

    def __init__(
        self,
        access: MqttAccess,
        decoder: Decoder,
        *,
        topic: str,
        client_id: str,
        stream_from: StreamFrom = "wildcards",
        session_expiry_s: int = 7 * 24 * 3600,
        receive_maximum: int = 1000,
        max_record_bytes: int = MAX_RECORD_BYTES,
        dropped: Callable[[str, int], None],
        vitals: Vitals,
        stop: threading.Event | None = None,
    ) -> None:
        self.topic = topic
        self._shown = access.shown
        self._decoder = decoder
        self._stream_from = stream_from
        self._most = receive_maximum
        self._dropped, self._vitals = dropped, vitals
        self._patience = Patience(access.shown, SourceError, stop)
        self._connection = Connection(
            access,
            client_id,
            SourceError,
            clean=False,
            topic_filter=topic,
            session_expiry_s=session_expiry_s,
            receive_maximum=receive_maximum,
            max_record_bytes=max_record_bytes,
            on_up=self._up,
            on_message=self._arrived,
            on_change=self._wake,
        )
        self._open = False
        self._waited = True  # the vitals were told to wait
        # Below: shared with the connection's thread, under the lock.
        self._changed = threading.Condition()
        self._closing = False
        self._known = False  # there was a session that a later one should go on with
        self._next = self._handed = self._committed = 0
        self._waiting: deque[_Arrival] = deque()  # not polled yet
        self._waiting_bytes = 0
        # By message number, in order of arrival: those of this connection that the broker waits
        # for, and those of the last one, which it will give again.
        self._unacknowledged: dict[int, _Arrival] = {}
        self._expected: dict[int, _Arrival] = {}

    def open(self, assignee: Assignee) -> None:
        """Connect and subscribe; waits for a broker that is down."""
        self._vitals.wait("mqtt", f"{self._shown}: connecting")
        starts = assignee.assigned({PARTITION: LogRange(0, FAR_US, None)})
        start = starts[PARTITION]
        self._known = start > 0
        self._next = self._handed = self._committed = max(time.time_ns() // 1000, start)
        self._connection.start()
        self._open = True
        self._patience.until_answered("connect and subscribe", self._wait_up)

    def poll(self, timeout_s: float) -> Polled:
        """The rows of what has arrived; waits at most ``timeout_s`` for the first."""
        if not self._open:
            raise SourceError(f"{self.topic}: the source is not open")
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._connection.failed, timeout_s)
            taken = self._take()
        self._connection.check()
        self._tell_vitals()
        for arrival in taken:
            if arrival.dropped:
                self._dropped(arrival.dropped, 1)
        rows = [arrival for arrival in taken if not arrival.dropped]
        if not rows:
            return Polled()
        offsets = [arrival.offset for arrival in rows]
        return self._decoder.decode(
            RawRecords(
                self.topic,
                PARTITION,
                offsets,
                offsets,
                [arrival.key for arrival in rows],
                [arrival.value or None for arrival in rows],
            )
        )

    def positions(self) -> Positions:
        """The time of arrival from which the next row comes."""
        return {PARTITION: self._handed} if self._open else {}

    def lag(self) -> Mapping[int, int]:
        """Messages that are here and wait; the broker does not tell how many it holds."""
        return {PARTITION: len(self._waiting)}

    def at_end(self) -> Mapping[int, bool]:
        """Whether all that has arrived is taken."""
        return {PARTITION: not self._waiting}

    def finished(self) -> bool:
        """Never: a topic may always get another message."""
        return False

    def commit(self, positions: Positions) -> None:
        """Acknowledge the messages before ``positions``, in the order they came."""
        with self._changed:
            self._committed = max(self._committed, positions.get(PARTITION, 0))
            self._acknowledge()

    def group_metadata(self) -> Any:
        """None: no transaction of Kafka's can hold what a broker of MQTT was told."""
        return None

    def close(self) -> None:
        """Disconnect; the broker keeps what was not acknowledged. Twice is fine."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._connection.close()
        self._open = False

    def _wait_up(self, timeout_s: float) -> None:
        self._vitals.beat()  # waiting for a broker is no reason to be killed
        self._connection.wait_up(timeout_s)

    def _take(self) -> list[_Arrival]:
        taken: list[_Arrival] = []
        size = 0
        while self._waiting and len(taken) < MAX_POLL_MESSAGES and size < MAX_POLL_BYTES:
            arrival = self._waiting.popleft()
            size += arrival.size
            taken.append(arrival)
        self._waiting_bytes -= size
        if taken:
            self._handed = taken[-1].offset + 1
            self._changed.notify_all()
        return taken

    def _tell_vitals(self) -> None:
        reason = "" if self._connection.up else self._connection.reason or "connecting"
        if reason:
            self._vitals.wait("mqtt", f"{self._shown}: {reason}")
        elif self._waited:
            self._vitals.done("mqtt")
        if reason and not self._waited:
            log.warning("waiting for the broker", brokers=self._shown, reason=reason)
        self._waited = bool(reason)

    def _acknowledge(self) -> None:
        """Acknowledge what is committed; without a connection, when the next one brings it."""
        if not self._connection.up:
            return
        done = []
        for number, arrival in self._unacknowledged.items():
            if arrival.offset >= self._committed:
                break
            self._connection.acknowledge(number)
            done.append(number)
        for number in done:
            del self._unacknowledged[number]

    # Called in the connection's thread.

    def _wake(self) -> None:
        with self._changed:
            self._acknowledge()  # what was committed while there was no connection
            self._changed.notify_all()

    def _up(self, session_present: bool) -> None:
        with self._changed:
            self._expected = self._unacknowledged | self._expected
            self._unacknowledged = {}
            if not session_present:
                if self._known:
                    log.warning(
                        "the broker kept no session: messages sent while this client was away are "
                        "lost; see the broker's persistence and source.session_expiry_s",
                        broker=self._shown,
                    )
                self._expected = {}  # the broker no longer knows them
            self._known = True

    def _arrived(self, message: MQTTMessage) -> None:
        value = bytes(message.payload)
        topic, dropped = self._read(message)
        content = hash((topic, value))
        with self._changed:
            if message.qos and self._again(message, content):
                return
            self._changed.wait_for(self._has_room)
            offset = max(time.time_ns() // 1000, self._next)
            self._next = offset + 1
            key = topic if self._stream_from == "topic" else under_wildcards(self.topic, topic)
            arrival = _Arrival(offset, key.encode(), value, dropped, content)
            if message.qos:
                self._unacknowledged[message.mid] = arrival
            self._waiting.append(arrival)
            self._waiting_bytes += arrival.size
            self._changed.notify_all()

    def _again(self, message: MQTTMessage, content: int) -> bool:
        """Whether the message is still in our hands: given again after a lost connection."""
        before = self._expected.get(message.mid)
        if not message.dup:
            self._expected = {}  # what is given again comes first
        elif before is not None and before.content == content:
            while (number := next(iter(self._expected))) != message.mid:
                del self._expected[number]  # the broker gives them in order: it has forgotten it
            self._unacknowledged[message.mid] = self._expected.pop(message.mid)
            self._acknowledge()
            return True
        return False

    def _read(self, message: MQTTMessage) -> tuple[str, str]:
        """The topic, and why the message is no row, "" where it is one."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return "", OTHER_TOPIC
        if not matches(self.topic, topic):
            return topic, OTHER_TOPIC
        return topic, RETAINED if message.retain else ""

    def _has_room(self) -> bool:
        """Whether another message may wait; else reading stops, and the broker has to wait."""
        return self._closing or (
            len(self._waiting) < self._most and self._waiting_bytes < MAX_WAITING_BYTES
        )
