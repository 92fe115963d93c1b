"""The pipeline.toml that the demo writes: short enough to read, and to copy."""

from __future__ import annotations

from pathlib import Path

from deploy.demo.edges import Topics
from pipeline.errors import ConfigError

NAME = "machine-temperature"
MODEL = f"{NAME}.onnx"
ROWS_FILE, SCORES_FILE, DEAD_FILE = "rows.jsonl", "scores.jsonl", "dead_letters.jsonl"
STREAM_FIELD = "machine"

_HEAD = """\
# Written by `streamcell demo`. A pipeline of your own starts as a copy of this file:
#   streamcell check {path}    says what would run
#   streamcell run {path}      runs it

[[pipeline]]
name = "{name}"
# The trained model, relative to this file; `streamcell inspect` prints what it holds.
model = "{model}"
"""

_KAFKA = """\
# Outputs and offsets in one Kafka transaction, every 100 ms.
guarantee = "exactly_once"
commit_every_ms = 100
instance = "{instance}"

[pipeline.source]
type = "kafka"
brokers = "{brokers}"
# Records like {{"time": "2014-01-16T18:00:00Z", "temperature": 89.1}}, their key names the stream.
topic = "{topics.rows}"
payload = "json"
# The reading's own time. A row not later than its stream's last goes to the dead letters.
time_field = "time"
{assign}
[pipeline.sink]
type = "kafka"
# One score for every row; alarms when they open and when they close; and what was no row.
topic = "{topics.scores}"
events_topic = "{topics.alarms}"
dead_letter_topic = "{topics.dead}"
create_topics = true
# Each score tells what was expected, too.
expected = true

[pipeline.state]
# Bounds what is replayed after a crash.
snapshot_every_s = 10.0
"""

_GROUP = """\
# Start more of this, each with an `instance` of its own, and they share the partitions.
assign = "group"
# How long a dead instance keeps its partitions.
session_timeout_ms = 10_000
"""
_ALL = """\
# This one process reads every partition. On a Kafka cluster take "group": several instances
# then share the partitions.
assign = "all"
"""

_FILES = """\
# A crash may repeat the outputs since the last commit, with the same ids.
guarantee = "at_least_once"
commit_every_ms = 100

[pipeline.source]
type = "file"
# Lines like {{"{stream_field}": "press-7", "time": "2014-01-16T18:00:00Z", "temperature": 89.1}}
path = "{rows}"
# Wait for more lines at the end.
follow = true
stream_field = "{stream_field}"
# The reading's own time. A row not later than its stream's last goes to the dead letters.
time_field = "time"

[pipeline.sink]
type = "file"
# Scores and alarms, one JSON object a line; and what was no row.
path = "{scores}"
dead_letter_path = "{dead}"
# Each score tells what was expected, too.
expected = true
"""

_TAIL = """
[http]
# /metrics, /healthz, /readyz; the live page opens as /?token=… with STREAMCELL_TOKEN's value.
port = {port}
"""


def kafka_config(
    path: Path,
    *,
    name: str,
    instance: str,
    brokers: str,
    topics: Topics,
    group: bool,
    port: int,
) -> str:
    """Write and return the configuration of a pipeline from topic to topic."""
    text = (_HEAD + _KAFKA + _TAIL).format(
        path=path,
        name=name,
        instance=instance,
        model=MODEL,
        brokers=brokers,
        topics=topics,
        assign=_GROUP if group else _ALL,
        port=port,
    )
    return _write(path, text)


def file_config(path: Path, *, port: int) -> str:
    """Write and return the configuration of a pipeline from file to file."""
    text = (_HEAD + _FILES + _TAIL).format(
        path=path,
        name=NAME,
        model=MODEL,
        rows=ROWS_FILE,
        scores=SCORES_FILE,
        dead=DEAD_FILE,
        stream_field=STREAM_FIELD,
        port=port,
    )
    return _write(path, text)


def _write(path: Path, text: str) -> str:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(path), [f"can't write it: {error.strerror}"]) from error
    return text
