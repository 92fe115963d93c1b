"""The two ends of the speech demo on Kafka, and the configuration of what runs in between."""

from __future__ import annotations

import secrets
from pathlib import Path

from deploy.demo.edges import Feed, Tail, Topics
from deploy.demo.transport import client
from pipeline.errors import ConfigError

NAME = "digits"
FLUSH_MS = 1200

_CONFIG = """\
# Written by `streamcell demo speech`. A pipeline of your own starts as a copy of this file:
#   streamcell check {path}    says what would run
#   streamcell run {path}      runs it

[[pipeline]]
name = "{name}"
# The trained model, relative to this file; `streamcell inspect` prints what it holds.
model = "{model}"
# Words and offsets in one Kafka transaction, every 50 ms.
guarantee = "exactly_once"
commit_every_ms = 50
instance = "{instance}"

[pipeline.source]
type = "kafka"
brokers = "{brokers}"
# 16-bit samples of one microphone, of any length, stamped when the last of them was captured; the
# record's key names the microphone, and a null value switches it off.
topic = "{topics.rows}"
payload = "pcm"
flush_ms = {flush_ms}
{assign}

[pipeline.sink]
type = "kafka"
# Words as they are guessed (partial) and as they stay (final); and what was no sound.
topic = "{topics.results}"
dead_letter_topic = "{topics.dead}"
create_topics = true

[pipeline.state]
# Bounds what is replayed after a crash.
snapshot_every_s = 5.0

[http]
# /metrics, /healthz, /readyz; the live page opens as /?token=… with STREAMCELL_TOKEN's value.
port = {port}
"""


class SpeechEdges:
    """Topics on ``brokers``; ``own`` is the demo's embedded broker, otherwise a user's Kafka."""

    def __init__(self, brokers: str, *, own: bool) -> None:
        self.brokers, self.own = brokers, own
        suffix = "" if own else f"-{secrets.token_hex(3)}"
        words = (f"voice-{name}{suffix}" for name in ("rows", "words", "rows.dead"))
        rows, results, dead = words
        self.topics = Topics(rows, results, None, dead)
        self._client = client()
        self._instance = "demo"

    def configure(self, path: Path, model: Path, port: int) -> str:
        """Write the pipeline's TOML and return its text; raises ConfigError."""
        # A killed consumer's partitions are never given to another by the embedded broker.
        text = _CONFIG.format(
            path=path,
            name=self._pipeline,
            model=model.name,
            instance=self._instance,
            brokers=self.brokers,
            topics=self.topics,
            flush_ms=FLUSH_MS,
            assign='assign = "all"' if self.own else "session_timeout_ms = 10_000",
            port=port,
        )
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(str(path), [f"can't write it: {error.strerror}"]) from error
        return text

    def after_crash(self, path: Path, model: Path, port: int) -> None:
        """On the embedded broker: end the open transaction, and go on under another name.

        See ``KafkaTransport.after_crash``.
        """
        if self.own:
            before, self._instance = self._instance, "restarted"
            self._client.end_transactions(self.brokers, f"{self._pipeline}-{before}")
            self.configure(path, model, port)

    def feed(self) -> Feed:
        """Make the topic of the sound and open a producer."""
        self._client.create_topic(self.brokers, self.topics.rows)
        return self._client.feed(self.brokers, self.topics.rows)

    def tail(self) -> Tail:
        """Listen to the output topics."""
        return self._client.tail(self.brokers, self.topics)

    @property
    def _pipeline(self) -> str:
        return NAME + self.topics.rows.removeprefix("voice-rows")
