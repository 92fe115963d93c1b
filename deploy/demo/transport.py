"""What carries the rows: an embedded broker, a Kafka that is there already, or files."""

from __future__ import annotations

import importlib.util
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.demo.config_file import DEAD_FILE, ROWS_FILE, file_config, kafka_config
from deploy.demo.edges import PARTITIONS, Client, Feed, Tail, Topics
from deploy.demo.file_edges import FileFeed, FileTail, LineStarts
from deploy.demo.scene import Scene


class Transport(Protocol):
    """``streams`` and ``rate`` (rows a second) are what an ordinary machine holds on it."""

    partitions: int
    streams: int
    rate: float
    exactly_once: bool

    @property
    def name(self) -> str:
        """What it is, for the report."""
        ...

    def configure(self, path: Path, port: int) -> str:
        """Write the pipeline's TOML and return its text."""
        ...

    def after_crash(self, path: Path, port: int) -> str:
        """Do what this transport needs before the pipeline starts again; a note on it, or none."""
        ...

    def feed(self) -> Feed:
        """Make the place for rows and open it."""
        ...

    def tail(self) -> Tail:
        """Listen to the outputs; the pipeline is up."""
        ...

    def example(self) -> str:
        """A command that sends a row."""
        ...

    def left_behind(self) -> str:
        """What stays after the demo, for the user to know; empty if nothing does."""
        ...


class KafkaTransport:
    """Topics on ``brokers``; ``own`` is the demo's embedded broker, otherwise a user's Kafka.

    On the latter the topics' names are new in each run.
    """

    partitions = PARTITIONS
    exactly_once = True

    def __init__(self, brokers: str, scene: Scene, *, own: bool) -> None:
        self.brokers = brokers
        self.scene = scene
        self.own = own
        self.topics = Topics.named(scene, "" if own else f"-{secrets.token_hex(3)}")
        self._client = client()
        self.streams, self.rate = self._client.streams, self._client.rate
        self._instance = "demo"

    @property
    def name(self) -> str:
        """For the report."""
        return f"Kafka at {self.brokers}" if not self.own else "an embedded broker"

    def configure(self, path: Path, port: int) -> str:
        """Write the pipeline's TOML and return its text."""
        # A killed consumer's partitions are never given to another by the embedded broker.
        return kafka_config(
            path,
            self.scene,
            name=self._pipeline,
            instance=self._instance,
            brokers=self.brokers,
            topics=self.topics,
            group=not self.own,
            port=port,
        )

    def after_crash(self, path: Path, port: int) -> str:
        """On the embedded broker: end the open transaction, and go on under another name.

        After an aborted transaction that broker hides the same producer's later records from
        whoever follows with read_committed. Kafka does not, and needs nothing here.
        """
        if not self.own:
            return ""
        before, self._instance = self._instance, "restarted"
        self._client.end_transactions(self.brokers, f"{self._pipeline}-{before}")
        self.configure(path, port)
        return f'as instance "{self._instance}", which only the embedded broker needs'

    @property
    def _pipeline(self) -> str:
        return self.scene.name + self.topics.rows.removeprefix(Topics.named(self.scene).rows)

    def feed(self) -> Feed:
        """Make the topic of the rows and open a producer."""
        self._client.create_topic(self.brokers, self.topics.rows)
        return self._client.feed(self.brokers, self.topics.rows)

    def tail(self) -> Tail:
        """Listen to the output topics."""
        return self._client.tail(self.brokers, self.topics)

    def example(self) -> str:
        """A producer in one line, for this environment's own Python."""
        # Single quotes only: the shell has the double ones.
        scene = self.scene
        row = f"{{'time': '{scene.example_time}', '{scene.feature}': {scene.example_value}}}"
        code = self._client.example(
            self.brokers, self.topics.rows, scene.newcomer, f"json.dumps({row})"
        )
        return f'{sys.executable} -c "import json; {code}"'

    def left_behind(self) -> str:
        """The topics on a user's Kafka."""
        if self.own:
            return ""
        names = ", ".join((self.topics.rows, *self.topics.outputs()))
        return f"topics on {self.brokers}: {names}"


@dataclass
class FileTransport:
    """Files in ``folder``, for where there is no broker."""

    folder: Path
    scene: Scene
    partitions: int = 1
    streams: int = 300
    rate: float = 20_000.0
    exactly_once = False
    name = "files"

    def __post_init__(self) -> None:
        self._starts = LineStarts()

    def configure(self, path: Path, port: int) -> str:
        """Write the pipeline's TOML and return its text."""
        return file_config(path, self.scene, port=port)

    def after_crash(self, path: Path, port: int) -> str:  # noqa: ARG002 - the contract
        """Nothing."""
        return ""

    def feed(self) -> Feed:
        """Make the file of the rows."""
        return FileFeed(self.folder / ROWS_FILE, self._starts, self.scene.thing)

    def tail(self) -> Tail:
        """Listen to the files of the outputs."""
        results = self.folder / self.scene.outputs_file
        return FileTail(results, self.folder / DEAD_FILE, self._starts)

    def example(self) -> str:
        """A line more."""
        scene = self.scene
        row = (
            f'"{scene.thing}": "{scene.newcomer}", "time": "{scene.example_time}", '
            f'"{scene.feature}": {scene.example_value}'
        )
        return f"echo '{{{row}}}' >> {self.folder / ROWS_FILE}"

    def left_behind(self) -> str:
        """The files lie in the demo's folder."""
        return ""


def client() -> Client:
    """The demo's ends by confluent-kafka where it is installed, else by kafka-python."""
    if importlib.util.find_spec("confluent_kafka") is not None:
        from deploy.demo.confluent_edges import ConfluentClient

        return ConfluentClient()
    from deploy.demo.kafka_python_edges import KafkaPythonClient

    return KafkaPythonClient()
