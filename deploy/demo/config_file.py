"""The pipeline.toml that the demo writes: short enough to read, and to copy."""

from __future__ import annotations

from pathlib import Path

from deploy.demo.edges import Topics
from deploy.demo.scene import Scene
from pipeline.errors import ConfigError

ROWS_FILE, DEAD_FILE = "rows.jsonl", "dead_letters.jsonl"

_HEAD = """\
# Written by `streamcell demo {task}`. A pipeline of your own starts as a copy of this file:
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
# Records like {{{example}}}, their key names the stream.
topic = "{topics.rows}"
payload = "json"
# The reading's own time. A row not later than its stream's last goes to the dead letters.
time_field = "time"
{assign}
[pipeline.sink]
type = "kafka"
# {told}; and what was no row.
topic = "{topics.results}"
{events}dead_letter_topic = "{topics.dead}"
create_topics = true
{expected}
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
# Lines like {{"{thing}": "{thing}-7", {example}}}
path = "{rows}"
# Wait for more lines at the end.
follow = true
stream_field = "{thing}"
# The reading's own time. A row not later than its stream's last goes to the dead letters.
time_field = "time"

[pipeline.sink]
type = "file"
# {told}, a JSON object a line; and what was no row.
path = "{results}"
dead_letter_path = "{dead}"
{expected}"""

_TAIL = """
[http]
# /metrics, /healthz, /readyz; the live page opens as /?token=… with STREAMCELL_TOKEN's value.
port = {port}
"""


_EXPECTED = """\
# Each score tells what was expected, too.
expected = true
"""


def kafka_config(
    path: Path,
    scene: Scene,
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
        **_names(scene),
        name=name,
        instance=instance,
        brokers=brokers,
        topics=topics,
        events=f'events_topic = "{topics.alarms}"\n' if topics.alarms else "",
        assign=_GROUP if group else _ALL,
        port=port,
    )
    return _write(path, text)


def file_config(path: Path, scene: Scene, *, port: int) -> str:
    """Write and return the configuration of a pipeline from file to file."""
    text = (_HEAD + _FILES + _TAIL).format(
        path=path,
        **_names(scene),
        name=scene.name,
        rows=ROWS_FILE,
        results=scene.outputs_file,
        dead=DEAD_FILE,
        thing=scene.thing,
        port=port,
    )
    return _write(path, text)


def _names(scene: Scene) -> dict[str, str]:
    return {
        "task": scene.task,
        "model": scene.model,
        "told": scene.told,
        "example": f'"time": "{scene.example_time}", "{scene.feature}": {scene.example_value}',
        # A forecast says by itself what is expected.
        "expected": _EXPECTED if scene.alarms else "",
    }


def _write(path: Path, text: str) -> str:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(path), [f"can't write it: {error.strerror}"]) from error
    return text
