"""MQTT's tables: what is refused before anything is connected, and what stands in for the rest."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipeline.assemble_edges import make_sink, make_source, source_topic
from pipeline.config import Config, load_config
from pipeline.config_mqtt import MqttSinkConfig, MqttSourceConfig, reach
from pipeline.errors import ConfigError
from pipeline.metrics import Metrics
from pipeline.monitor.health import Vitals
from pipeline.sinks.mqtt import MqttSink
from pipeline.sources.mqtt import MqttSource
from pipeline.sources.mqtt_access import MqttAccess
from tests.pipeline.bundles import manifest
from tests.shared import REPOSITORY

SECRET = "hunter2"  # noqa: S105 - nobody's


def load(
    folder: Path, source: str = "", sink: str = "", *, topic: str = "plant/+", out: str = "scores"
) -> Config:
    """A file with MQTT on both sides."""
    path = folder / "pipeline.toml"
    path.write_text(
        f"""
[[pipeline]]
name = "p"
instance = "i"
model = "m.onnx"
[pipeline.source]
type = "mqtt"
topic = "{topic}"
{source}
[pipeline.sink]
type = "mqtt"
topic = "{out}"
{sink}
"""
    )
    return load_config(path)


BROKER = 'broker = "b:1883"'


def test_a_sink_takes_the_sources_broker_and_names_follow_the_pipeline(tmp_path: Path) -> None:
    """Nothing but the topics has to be said; both can be assembled."""
    (config,) = load(tmp_path, BROKER).pipeline
    assert source_topic(config) == "plant/+"
    stop = threading.Event()
    vitals = Vitals()
    source = make_source(config, manifest(), tmp_path, stop, metrics=Metrics("p"), vitals=vitals)
    sink = make_sink(config, frozenset(), tmp_path, stop, vitals=vitals)
    assert isinstance(source, MqttSource)
    assert isinstance(sink, MqttSink)
    source.close()
    sink.close()


@pytest.mark.parametrize(
    ("source", "sink", "topic", "out", "told"),
    [
        ('broker = "mqtt://b:1883"', "", "a", "b", "source.broker: give host or host:port"),
        (f'broker = "u:{SECRET}@b:1883"', "", "a", "b", "without a login"),
        ('broker = "b:70000"', "", "a", "b", "host:port"),
        (BROKER, "", "a/#/b", "b", "topic: # is a level of its own"),
        (BROKER, "", "$share/g/a", "b", "shared subscription"),
        (BROKER, "", "a", "b/+", "topic: a topic has no +"),
        (BROKER, "", "a", "b/{key}", "placeholder"),
        (BROKER, 'dead_letter_topic = "d/{stream}"', "a", "b", "dead_letter_topic has no"),
        (BROKER, "", "a", "b/" + "x" * 65_530, "at most 65,535 bytes"),
        (BROKER + "\nreceive_maximum = 0", "", "a", "b", "receive_maximum"),
        (BROKER + '\npayload = "pcm"\ntime_field = "t"', "", "a", "b", "takes no time_field"),
        (BROKER + '\nclient_id = "x"', 'client_id = "x"', "a", "b", "same client_id 'x'"),
        (BROKER + '\nsecurity = {username = "u"}', "", "a", "b", "username and password_env"),
        (BROKER + '\nsecurity = {ca_file = "c"}', "", "a", "b", "ca_file needs tls"),
        (
            BROKER + '\nsecurity = {username = "u", password_env = "NOT_SET"}',
            "",
            "a",
            "b",
            "NOT_SET is not set",
        ),
    ],
    ids=range(15),
)
def test_what_can_not_work_is_refused(
    tmp_path: Path, source: str, sink: str, topic: str, out: str, told: str
) -> None:
    """With the key, and without a login that was written where it must not be."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, source, sink, topic=topic, out=out)
    assert told in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("topic", "out", "sink", "told"),
    [
        ("plant/#", "plant/scores/{stream}", "", "sink.topic 'plant/scores/{stream}'"),
        ("plant/#", "scores", 'events_topic = "plant/alarms"', "sink.events_topic"),
        ("plant/+", "plant/{stream}/scores", "", "sink.dead_letter_topic 'plant/dead'"),
        ("+/+", "scores/{stream}", "", "selects 'scores/a'"),
        ("a", "a", "", "sink.topic"),
        ("#", "x/{stream}/y/{stream}", "", "sink.topic"),
    ],
    ids=range(6),
)
def test_a_pipeline_that_would_read_its_own_outputs_is_refused(
    tmp_path: Path, topic: str, out: str, sink: str, told: str
) -> None:
    """On the same broker; elsewhere they are somebody else's."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, BROKER, sink, topic=topic, out=out)
    assert told in str(caught.value)
    assert "its own outputs" in str(caught.value)
    load(tmp_path, BROKER, f'broker = "other"\n{sink}', topic=topic, out=out)


@pytest.mark.parametrize(
    ("topic", "out"),
    [("plant/+/readings", "plant/{stream}/scores"), ("plant/+", "scores/{stream}")],
    ids=["beside", "apart"],
)
def test_outputs_beside_the_rows_are_fine(tmp_path: Path, topic: str, out: str) -> None:
    """Where the filter leaves them out."""
    assert load(tmp_path, BROKER, topic=topic, out=out)


def test_a_broker_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    """With the usual port or without."""
    with pytest.raises(ConfigError, match="its own outputs"):
        load(tmp_path, BROKER, 'broker = "B"', topic="a", out="a")


def test_a_sink_on_the_sources_broker_may_have_a_login_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a version; what it does not say is the source's."""
    monkeypatch.setenv("P", SECRET)
    login = 'security = {{username = "{}", password_env = "P"}}'
    source = f'{BROKER}\nversion = "3.1.1"\n{login.format("reader")}'
    for sink, expected in (
        ("", ("b:1883", "3.1.1", "reader", "source")),
        (login.format("writer"), ("b:1883", "3.1.1", "writer", "sink")),
        ('version = "5"', ("b:1883", "5", "reader", "source")),
        ('broker = "other"', ("other", "5", None, "sink")),
    ):
        (config,) = load(tmp_path, source, sink).pipeline
        assert isinstance(config.source, MqttSourceConfig)
        assert isinstance(config.sink, MqttSinkConfig)
        broker, version, security, table = reach(config.sink, config.source)
        assert (broker, version, security.username, table) == expected


def test_the_documentations_example_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, given the secret that it names."""
    page = (REPOSITORY / "docs" / "mqtt.md").read_text(encoding="utf-8")
    path = tmp_path / "pipeline.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    monkeypatch.setenv("MQTT_PASSWORD", SECRET)
    (config,) = load_config(path).pipeline
    assert (config.source.type, config.sink.type) == ("mqtt", "mqtt")


def test_a_sink_behind_another_source_needs_a_broker(tmp_path: Path) -> None:
    """There is none to take over; and exactly once is Kafka's alone."""
    path = tmp_path / "p.toml"
    text = """
[[pipeline]]
name = "p"
model = "m.onnx"
source = { type = "file", path = "rows.jsonl" }
sink = { type = "mqtt", topic = "a" }
"""
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"sink\.broker is needed"):
        load_config(path)
    path.write_text(text.replace('model = "m.onnx"', 'model = "m"\nguarantee = "exactly_once"'))
    with pytest.raises(ConfigError, match="exactly_once needs a Kafka source"):
        load_config(path)


@pytest.mark.parametrize(
    ("broker", "tls", "host", "port"),
    [
        ("b", False, "b", 1883),
        ("b", True, "b", 8883),
        ("10.0.0.1:99", True, "10.0.0.1", 99),
        ("[::1]", False, "::1", 1883),
        ("[::1]:99", False, "::1", 99),
    ],
)
def test_addresses_have_the_usual_port(broker: str, tls: bool, host: str, port: int) -> None:
    """With TLS another; and nobody is told a password."""
    access = MqttAccess(broker, tls=tls, username="u", password=SECRET)
    assert (access.host, access.port) == (host, port)
    assert SECRET not in repr(access)


def test_a_missing_authority_is_told_with_its_key(tmp_path: Path) -> None:
    """As is a file that holds no certificate."""
    empty = tmp_path / "empty.pem"
    empty.touch()
    for file in (str(tmp_path / "none.pem"), str(empty)):
        with pytest.raises(ConfigError, match=r"source\.security\.ca_file: can't read"):
            MqttAccess("b", tls=True, ca_file=file).context()
