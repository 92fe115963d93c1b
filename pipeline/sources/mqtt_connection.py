"""One connection to an MQTT broker, in a thread of its own: kept up, and why it is not."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from pipeline.calls import ended
from pipeline.errors import StreamcellError
from pipeline.sources.kafka_access import UnreachableError
from pipeline.sources.mqtt_access import MqttAccess
from pipeline.sources.mqtt_topics import MAX_TOPIC_BYTES

log = structlog.get_logger(__name__)

KEEPALIVE_S = 30
CONNECT_S = 5.0
LEAVE_S = 2.0
# What a packet holds beside its payload: the topic, and properties that the sender may add.
AROUND_BYTES = MAX_TOPIC_BYTES + 64 * 1024
RETRY_S = (1, 15)  # first and longest wait before the broker is tried again
SHORT_S, SHORT_LIVES = 10.0, 3  # connections that end at once, so many in a row, have a rival
LARGEST_WINDOW = 65_535  # messages on their way, where the broker names no limit

# Reasons of MQTT 5 for refusing or ending a connection that time may mend.
PASSING = {
    0x80,  # unspecified error
    0x83,  # implementation specific error
    0x88,  # server unavailable
    0x89,  # server busy
    0x8B,  # server shutting down
    0x8D,  # keep alive timeout
    0x96,  # message rate too high
    0x97,  # quota exceeded
    0x98,  # administrative action
    0x9F,  # connection rate exceeded
    0xA0,  # maximum connect time
}
HINTS = {
    0x84: 'does it speak another version? Set {table}.version = "3.1.1"',
    0x85: "choose another {table}.client_id",
    0x86: "look at {table}.security: username, and the variable that password_env names",
    0x87: "look at {table}.security: username, and the variable that password_env names; and at "
    "what the broker allows this user",
    0x8E: "another client uses the same id: every process needs its own instance (or "
    "{table}.client_id)",
    0x93: "the broker takes fewer messages at once; set {table}.receive_maximum lower",
}

Received = Callable[[mqtt.MQTTMessage], None]


class Connection:
    """Connects, and again with growing pauses whenever the connection is lost.

    ``clean`` begins every connection without a session; otherwise the broker keeps subscriptions
    and messages for ``session_expiry_s`` after a connection was lost. ``receive_maximum`` bounds
    the messages that it sends before they are acknowledged, and ``max_record_bytes`` their size:
    it drops what is far larger (both MQTT 5). Messages of ``topic_filter``
    are subscribed to every time, as the filter may be another than the session's; retained ones
    are not asked for (MQTT 5). ``error`` is raised for what waiting can't mend.

    The callbacks come from the connection's thread: ``on_up(session_present)`` before the first
    message of every connection, ``on_message``, ``on_acknowledged(refusal)`` for each published
    message, "" where it was taken, and ``on_change`` when ``up`` or ``failed`` may have changed.
    """

    def __init__(
        self,
        access: MqttAccess,
        client_id: str,
        error: type[StreamcellError],
        *,
        clean: bool,
        topic_filter: str | None = None,
        session_expiry_s: int = 0,
        receive_maximum: int = LARGEST_WINDOW,
        max_record_bytes: int | None = None,
        on_up: Callable[[bool], None] = lambda _: None,
        on_message: Received = lambda _: None,
        on_acknowledged: Callable[[str], None] = lambda _: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._access, self._error, self._clean = access, error, clean
        self._client_id, self._topic_filter = client_id, topic_filter
        self._on_up, self._on_change = on_up, on_change
        self._five = access.version == "5"
        self._properties: Properties | None = None
        if self._five:
            self._properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            self._properties.ReceiveMaximum = receive_maximum
            if max_record_bytes is not None:
                self._properties.MaximumPacketSize = max_record_bytes + AROUND_BYTES
            if not clean:
                self._properties.SessionExpiryInterval = session_expiry_s
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if self._five else clean,
            protocol=mqtt.MQTTv5 if self._five else mqtt.MQTTv311,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages = 0  # whoever publishes minds the window
        client.reconnect_delay_set(*RETRY_S)
        if access.username is not None:
            client.username_pw_set(access.username, access.password)
        client.on_connect = self._connected
        client.on_connect_fail = self._not_connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_message = lambda _client, _data, message: on_message(message)
        client.on_publish = lambda _client, _data, _mid, code, _properties: on_acknowledged(
            str(code) if code.is_failure else ""
        )
        self.up = self._closed = False
        self.reason = "not connected yet"
        self.window = LARGEST_WINDOW  # messages the broker takes before it acknowledges them
        self._fatal: StreamcellError | None = None
        self._since_s, self._short_lives = 0.0, 0
        self._changed = threading.Condition()

    def start(self) -> None:
        """Begin to connect; returns at once. Raises ConfigError for a broken ``ca_file``."""
        context = self._access.context()
        if context is not None:
            self._client.tls_set_context(context)
        options: dict[str, Any] = {}
        if self._five:
            options = {"clean_start": self._clean, "properties": self._properties}
        self._client.connect_async(self._access.host, self._access.port, KEEPALIVE_S, **options)
        self._client.loop_start()

    def wait_up(self, timeout_s: float) -> None:
        """Return once the connection is up; raises UnreachableError, or what can't be mended."""
        with self._changed:
            self._changed.wait_for(lambda: self.up or self._fatal is not None, timeout_s)
        self.check()
        if not self.up:
            raise UnreachableError(self.reason)

    @property
    def failed(self) -> bool:
        """Whether what waiting can't mend has happened."""
        return self._fatal is not None

    def check(self) -> None:
        """Raise what waiting can't mend, if that has happened."""
        if self._fatal is not None:
            raise self._fatal

    def acknowledge(self, mid: int) -> None:
        """Tell the broker that a message is done with."""
        self._client.ack(mid, 1)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Queue a message; it is sent again after a lost connection, until it is acknowledged."""
        self._client.publish(topic, payload, 1, retain)

    def close(self) -> None:
        """Disconnect in good order, after what was queued; twice is fine.

        A broker that does not read is left without a word after ``LEAVE_S``.
        """
        self.up, self._closed = False, True
        self._client.disconnect()
        if ended(self._client.loop_stop, LEAVE_S):
            return
        connection = self._client.socket()
        if isinstance(connection, socket.socket):
            with suppress(OSError):  # it has just ended
                # Not TLS's own, which would let the other thread write on in plain text.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            ended(self._client.loop_stop, LEAVE_S)

    # Called by the client, in its thread.

    def _connected(
        self,
        _client: mqtt.Client,
        _data: Any,
        flags: mqtt.ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._closed:  # while it was being made
            self._client.disconnect()
            return
        if code.is_failure:
            self._refused("refuses the connection", code)
            return
        self.window = getattr(properties, "ReceiveMaximum", LARGEST_WINDOW)
        self._on_up(flags.session_present)
        if self._topic_filter is None:
            self._ready()
        elif self._five:
            options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
            self._client.subscribe(self._topic_filter, options=options)
        else:
            self._client.subscribe(self._topic_filter, 1)

    def _not_connected(self, _client: mqtt.Client, _data: Any) -> None:
        failure = sys.exception()  # the client tells of it from where it caught it
        if isinstance(failure, ssl.SSLError) and not isinstance(failure, ssl.SSLEOFError):
            self._fail(
                f"TLS can't be agreed on: {failure.reason or failure}; look at "
                f"{self._access.table}.security: tls, and ca_file for the authority to trust"
            )
        else:
            self._tell(up=False, reason=str(failure))

    def _disconnected(
        self,
        _client: mqtt.Client,
        _data: Any,
        flags: mqtt.DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._refused("ended the connection", code)
        elif self.up:
            self._lost()
        elif self._fatal is None:
            doubt = "" if self._access.tls else f"; or does it want {self._access.table}.security?"
            self._tell(up=False, reason=f"no answer to the connection{doubt}")

    def _subscribed(
        self,
        _client: mqtt.Client,
        _data: Any,
        _mid: int,
        codes: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        for code in codes:
            if code.is_failure:
                self._refused("refuses the subscription", code)
                return
            if code.value != 1:
                self._fail("grants quality of service 0 alone, with which messages may be lost")
                return
        self._ready()

    def _lost(self) -> None:
        """Many brokers do not tell that another client has taken the id over."""
        short = time.monotonic() - self._since_s < SHORT_S
        self._short_lives = self._short_lives + 1 if short else 0
        if self._short_lives >= SHORT_LIVES:
            self._fail(
                f"the connection was lost {SHORT_LIVES} times within seconds: does another client "
                f"use the id {self._client_id!r}? Every process needs its own instance (or "
                f"{self._access.table}.client_id)"
            )
        else:
            self._tell(up=False, reason="the connection was lost")

    def _ready(self) -> None:
        log.info("connected", broker=self._access.shown)
        self._since_s = time.monotonic()
        self._tell(up=True, reason="")

    def _refused(self, what: str, code: ReasonCode) -> None:
        if code.value in PASSING:
            self._tell(up=False, reason=f"it {what}: {code}")
            return
        hint = HINTS.get(code.value, "").format(table=self._access.table)
        self._fail(f"{what}: {code}" + (f"; {hint}" if hint else ""))

    def _fail(self, what: str) -> None:
        self._fatal = self._error(f"MQTT broker {self._access.shown}: {what}")
        self._tell(up=False, reason=what)
        self._client.disconnect()  # or it would be tried again and again

    def _tell(self, *, up: bool, reason: str) -> None:
        with self._changed:
            self.up, self.reason = up, reason
            self._changed.notify_all()
        self._on_change()
