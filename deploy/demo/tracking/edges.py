"""The configuration of the demo's pipeline, from cameras to Kafka, and the topics it writes to."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from deploy.demo.edges import Tail, Topics
from deploy.demo.tracking.camera import Camera
from deploy.demo.transport import client
from pipeline.errors import ConfigError

NAME = "people"
LINE = "middle"
DETECTOR_FILE = "detector.onnx"

_CONFIG = """\
# Written by `streamcell demo tracking`. A pipeline of your own starts as a copy of this file:
#   streamcell check {path}    says what would run
#   streamcell run {path}      runs it

[[pipeline]]
name = "{name}"
# The trained motion model, relative to this file; `streamcell inspect` prints what it holds.
model = "{model}"
# Tracks are sent as soon as a frame is worked off, and known to have arrived every 50 ms.
commit_every_ms = 50

[pipeline.source]
type = "cameras"
# A camera without a frame for so long is opened anew.
stall_s = 2.0
{cameras}
[pipeline.detector]
kind = "onnx"
model = "{detector}"
layout = "yolov8"
min_score = 0.15

[pipeline.tracking]
{lines}
[pipeline.sink]
type = "kafka"
brokers = "{brokers}"
# Where everybody is in every frame; who enters, leaves and crosses the line.
topic = "{topics.results}"
events_topic = "{topics.alarms}"
dead_letter_topic = "{topics.dead}"

[pipeline.state]
# A camera can't be asked for the past: what came after the last snapshot is lost in a crash.
snapshot_every_s = 1.0

[http]
# /metrics, /healthz, /readyz; the live page opens as /?token=… with STREAMCELL_TOKEN's value.
port = {port}
"""

_CAMERA = """
[[pipeline.source.camera]]
name = "{name}"
url = "{url}"
"""

_LINE = """
[[pipeline.tracking.line]]
name = "{line}"
camera = "{name}"
start = [{ends[0][0]}, {ends[0][1]}]
end = [{ends[1][0]}, {ends[1][1]}]
"""


class TrackingEdges:
    """Topics on ``brokers``; ``own`` is the demo's embedded broker, otherwise a user's Kafka."""

    def __init__(self, brokers: str, *, own: bool) -> None:
        self.brokers = brokers
        self._suffix = "" if own else f"-{secrets.token_hex(3)}"
        words = (f"{NAME}-{name}{self._suffix}" for name in ("tracks", "events", "dead"))
        tracks, events, dead = words
        self.topics = Topics("cameras", tracks, events, dead)
        self._client = client()

    def configure(self, path: Path, model: Path, cameras: Sequence[Camera], port: int) -> str:
        """Write the pipeline's TOML and return its text; raises ConfigError."""
        text = _CONFIG.format(
            path=path,
            name=NAME + self._suffix,
            model=model.name,
            detector=DETECTOR_FILE,
            cameras="".join(
                _CAMERA.format(name=one.reel.place.name, url=one.url) for one in cameras
            ),
            lines="".join(
                _LINE.format(line=LINE, name=one.reel.place.name, ends=one.reel.place.line)
                for one in cameras
            ).removeprefix("\n"),
            brokers=self.brokers,
            topics=self.topics,
            port=port,
        )
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(str(path), [f"can't write it: {error.strerror}"]) from error
        return text

    def create(self) -> None:
        """Make the topics; raises SinkError."""
        for topic in self.topics.outputs():
            self._client.create_topic(self.brokers, topic)

    def tail(self) -> Tail:
        """Listen to the output topics."""
        return self._client.tail(self.brokers, self.topics)
