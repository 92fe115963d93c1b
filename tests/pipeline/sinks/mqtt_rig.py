"""What the sink contract needs of MQTT: a sink, and a subscriber that was there before."""

from __future__ import annotations

import json
from typing import Any

from pipeline.monitor.health import Vitals
from pipeline.sinks.mqtt import MqttSink
from pipeline.sources.mqtt_access import MqttAccess, Version
from tests.mosquitto import Mosquitto, Stranger, fresh_topic
from tests.pipeline.sinks.rigs import SOURCE_TOPIC, Output, output


class MqttRig:
    """A topic of its own. What a sink flushed is told to the subscriber before what comes later."""

    def __init__(self, broker: Mosquitto) -> None:
        self.broker = broker
        self.topic = fresh_topic()
        self.vitals = Vitals()
        self.reader = Stranger(broker, f"{self.topic}/#")

    def sink(self, topic: str = "", *, version: Version = "5", **options: Any) -> MqttSink:
        """A sink to the topic ``topic`` below the rig's, or to that itself."""
        return MqttSink(
            MqttAccess(self.broker.address, version=version),
            client_id=self.topic,
            source_topic=SOURCE_TOPIC,
            vitals=self.vitals,
            **(
                {
                    "topic": f"{self.topic}/{topic}" if topic else self.topic,
                    "dead_letter_topic": f"{self.topic}/dead",
                }
                | options
            ),
        )

    def messages(self) -> list[tuple[str, bytes]]:
        """Topic below the rig's and value of all that was sent so far."""
        stranger = Stranger(self.broker)
        stranger.publish(f"{self.topic}/mark", b"")
        stranger.close()
        heard = self.reader.until(lambda found: bool(found) and found[-1].topic.endswith("/mark"))
        return [
            (one.topic.removeprefix(self.topic).lstrip("/"), bytes(one.payload))
            for one in heard
            if not one.topic.endswith("/mark")
        ]

    def outputs(self) -> list[Output]:
        """What the subscriber was told."""
        return [output(value) for topic, value in self.messages() if topic == ""]

    def dead_letters(self) -> list[tuple[bytes, str, int]]:
        """What the subscriber was told."""
        found = [json.loads(value) for topic, value in self.messages() if topic == "dead"]
        return [(one["value"].encode(), one["cause"], one["offset"]) for one in found]

    def close(self) -> None:
        """Disconnect the subscriber."""
        self.reader.close()
