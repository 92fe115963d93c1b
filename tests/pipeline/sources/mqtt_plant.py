"""What tests of the MQTT source have: a topic, somebody who publishes to it, sources."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import numpy as np

from pipeline.decode.base import Decoder
from pipeline.decode.float32_rows import Float32Rows
from pipeline.monitor.health import Vitals
from pipeline.sources.mqtt import MqttSource, StreamFrom
from pipeline.sources.mqtt_access import MqttAccess, Version
from tests.mosquitto import Mosquitto, Stranger, fresh_topic
from tests.pipeline.sources.rigs import Desk, Reader


def row(*values: float) -> bytes:
    """The payload of one row."""
    return np.array(values, "<f4").tobytes()


class Plant:
    """A topic of its own, somebody who publishes to it, and sources that read it."""

    def __init__(self, broker: Mosquitto) -> None:
        self.broker = broker
        self.topic = fresh_topic()
        self.dropped: Counter[str] = Counter()
        self.vitals = Vitals()
        self._sources: list[MqttSource] = []
        self._strangers: list[Stranger] = []

    def publish(self, stream: str, *values: bytes, qos: int = 1, retain: bool = False) -> None:
        """Send messages of a stream."""
        if not self._strangers:
            self._strangers.append(Stranger(self.broker))
        self._strangers[0].publish(f"{self.topic}/{stream}", *values, qos=qos, retain=retain)

    def source(
        self,
        decoder: Decoder | None = None,
        *,
        version: Version = "5",
        stream_from: StreamFrom = "wildcards",
        receive_maximum: int = 1000,
        max_record_bytes: int = 1000,
        stop: threading.Event | None = None,
        levels: str = "#",
    ) -> MqttSource:
        """Another source under the same client id, not opened yet."""
        source = MqttSource(
            MqttAccess(self.broker.address, version=version),
            Float32Rows(2) if decoder is None else decoder,
            topic=f"{self.topic}/{levels}",
            client_id=self.topic,
            stream_from=stream_from,
            receive_maximum=receive_maximum,
            max_record_bytes=max_record_bytes,
            dropped=lambda cause, rows: self.dropped.update({cause: rows}),
            vitals=self.vitals,
            stop=stop,
        )
        self._sources.append(source)
        return source

    def reader(self, source: MqttSource | None = None) -> Reader:
        """A source that is open, and what it gave."""
        return Reader(self.source() if source is None else source, Desk())

    def close(self) -> None:
        """Close everything."""
        for source in self._sources:
            source.close()
        for stranger in self._strangers:
            stranger.close()


def streams(reader: Reader) -> list[str]:
    """The stream of every row."""
    return [block.table.keys[at].decode() for block in reader.polled.blocks for at in block.stream]


def got(reader: Reader, count: int) -> Callable[[], bool]:
    """Whether so many rows have come."""
    return lambda: len(reader.values(0)) >= count
