"""The configuration: every problem in one message, nothing coerced, no secret in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.config import Config, load_config
from pipeline.errors import ConfigError

MINIMAL = """
[[pipeline]]
name = "p"
model = "m.onnx"
source = { type = "kafka", brokers = "b:9092", topic = "in" }
sink = { type = "kafka", topic = "out" }
"""


SECRET = "hunter2"  # noqa: S105 - nobody's


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file."""
    return tmp_path / "pipeline.toml"


def load(path: Path, text: str) -> Config:
    """Write and load."""
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def problems(path: Path, text: str) -> list[str]:
    """What is wrong with it."""
    with pytest.raises(ConfigError) as caught:
        load(path, text)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.exit_code == 2
    for problem in caught.value.problems:
        assert problem in str(caught.value)
        assert "\n" not in problem
    return caught.value.problems


def pipeline(source: str = "", sink: str = "", rest: str = "", tables: str = "") -> str:
    """The minimal file with more in it."""
    return f"""
[[pipeline]]
name = "p"
model = "m.onnx"
{rest}
[pipeline.source]
type = "kafka"
brokers = "b:9092"
topic = "in"
{source}
[pipeline.sink]
type = "kafka"
topic = "out"
{sink}
{tables}
"""


def test_the_shortest_file_is_filled_up_with_defaults(path: Path) -> None:
    """They are the safe ones: nothing is lost silently, nothing listens to the world."""
    config = load(path, MINIMAL)
    (only,) = config.pipeline
    assert only.guarantee == "at_least_once"
    assert only.state.on_gap == only.state.on_model_change == "stop"
    assert only.engine.device == "cpu"
    assert config.http.bind == "127.0.0.1"
    assert only.source.type == "kafka"
    assert only.source.start == "earliest"


def test_all_problems_are_told_at_once(path: Path) -> None:
    """In every table, each with the key it is about."""
    text = pipeline(
        source='start = "yesterday"\nmax_record_bytes = 0',
        sink='colour = "red"',
        rest='commit_every_ms = "fast"',
        tables='[pipeline.engine]\ndevice = "tpu"\n[http]\nport = 70000\n[log]\nlevl = "info"',
    )
    found = problems(path, text)
    assert [problem.split(": ")[0] for problem in found] == [
        "pipeline.0.commit_every_ms",
        "pipeline.0.source.max_record_bytes",
        "pipeline.0.source.start",
        "pipeline.0.sink.colour",
        "pipeline.0.engine.device",
        "http.port",
        "log.levl",
    ]
    assert found[3] == "pipeline.0.sink.colour: unknown key"
    assert "'earliest' or 'latest'" in found[2]
    with pytest.raises(ConfigError, match="7 problems"):
        load(path, text)


@pytest.mark.parametrize("key", ["file", "kafka", "console", "type_", "brokerz"])
def test_an_unknown_key_is_named_whatever_it_is_called(path: Path, key: str) -> None:
    """Also where it is called like a type of sink."""
    assert problems(path, pipeline(sink=f'{key} = "x"')) == [f"pipeline.0.sink.{key}: unknown key"]


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("engine", "threads = 1.5"),
        ("engine", 'threads = "2"'),
        ("engine", "threads = true"),
        ("engine", "threads = 0"),
        ("engine", "max_rows = 1e3"),
        ("state", "idle_ttl_s = '10'"),
        ("state", "idle_ttl_s = -1"),
        ("state", "idle_ttl_s = inf"),
        ("state", "snapshot_every_s = nan"),
        ("state", "snapshot_every_s = 0"),
        ("state", "slots = 0"),
        ("state", "path = 3"),
    ],
)
def test_values_are_never_coerced_and_must_be_in_range(path: Path, table: str, line: str) -> None:
    """Each is told by its key."""
    key = line.split(" ")[0]
    (problem,) = problems(path, pipeline(tables=f"[pipeline.{table}]\n{line}"))
    assert problem.startswith(f"pipeline.0.{table}.{key}: ")


def test_whole_numbers_are_fine_where_seconds_may_have_fractions(path: Path) -> None:
    """TOML tells 10 and 10.0 apart, people don't."""
    config = load(path, pipeline(tables="[pipeline.state]\nsnapshot_every_s = 10"))
    assert config.pipeline[0].state.snapshot_every_s == 10.0


def test_a_source_of_an_unknown_type_is_told_with_those_there_are(path: Path) -> None:
    """Not as a list of keys that miss."""
    (problem,) = problems(path, MINIMAL.replace('"kafka", brokers', '"rabbit", brokers'))
    assert problem.startswith("pipeline.0.source: ")
    assert "'kafka'" in problem
    assert "'file'" in problem


def test_a_table_without_its_type_is_told(path: Path) -> None:
    """As the missing key."""
    (problem,) = problems(path, MINIMAL.replace('type = "kafka", topic = "out"', 'topic = "out"'))
    assert problem.startswith("pipeline.0.sink: ")
    assert "'type'" in problem


def test_a_static_member_is_one_of_a_group(path: Path) -> None:
    """Who takes every partition has no place in the group to keep."""
    source = load(path, pipeline(source="static_member = true")).pipeline[0].source
    assert source.type == "kafka"
    assert source.static_member
    (problem,) = problems(path, pipeline(source='static_member = true\nassign = "all"'))
    assert problem == 'pipeline.0.source: static_member needs assign = "group"'


@pytest.mark.parametrize(
    ("sink", "reason"),
    [
        ('type = "file", path = "out.jsonl"', "needs a Kafka source and a Kafka sink"),
        ('type = "console"', "needs a Kafka source and a Kafka sink"),
        ('type = "kafka", topic = "out", brokers = "other:9092"', "on the same brokers"),
    ],
)
def test_exactly_once_is_refused_where_it_cannot_be_kept(
    path: Path, sink: str, reason: str
) -> None:
    """Outputs and offsets must share a transaction; the message says what to do."""
    text = MINIMAL.replace('type = "kafka", topic = "out"', sink)
    load(path, text)
    (problem,) = problems(path, text.replace('name = "p"', 'name = "p"\nguarantee="exactly_once"'))
    assert problem.startswith("pipeline.0: ")
    assert reason in problem


def test_exactly_once_from_files_is_refused(path: Path) -> None:
    """Positions in files fit into no transaction."""
    text = MINIMAL.replace(
        'type = "kafka", brokers = "b:9092", topic = "in"', 'type="file",path="x"'
    )
    text = text.replace('topic = "out"', 'topic = "out", brokers = "b:9092"')
    load(path, text)
    (problem,) = problems(path, text.replace('name = "p"', 'name = "p"\nguarantee="exactly_once"'))
    assert "exactly_once needs a Kafka source" in problem


def test_a_kafka_sink_behind_a_file_needs_brokers(path: Path) -> None:
    """There are none to take over."""
    source = 'type = "kafka", brokers = "b:9092", topic = "in"'
    (problem,) = problems(path, MINIMAL.replace(source, 'type = "file", path = "in.csv"'))
    assert "sink.brokers is needed" in problem


def test_topics_cannot_be_made_like_a_file(path: Path) -> None:
    """How many partitions they should have is not to be known."""
    source = 'type = "kafka", brokers = "b:9092", topic = "in"'
    text = MINIMAL.replace(source, 'type = "file", path = "in.csv"')
    wanted = 'topic = "out", brokers = "b:9092", create_topics = true'
    (problem,) = problems(path, text.replace('topic = "out"', wanted))
    assert "sink.create_topics needs a Kafka source" in problem


SASL = """[pipeline.source.security]
protocol = "SASL_SSL"
mechanism = "SCRAM-SHA-512"
username = "edge"
password_env = "KAFKA_PASSWORD"
"""


def test_a_password_comes_from_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file names the variable; the secret is in no field, so in no log of the fields."""
    monkeypatch.setenv("KAFKA_PASSWORD", SECRET)
    config = load(path, pipeline(tables=SASL))
    assert config.pipeline[0].source.type == "kafka"
    assert config.pipeline[0].source.security.password == SECRET
    assert SECRET not in repr(config)
    assert SECRET not in config.model_dump_json()


@pytest.mark.parametrize("value", [None, ""])
def test_a_password_that_is_not_set_is_told_by_the_variables_name(
    path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """Before anything starts; an empty one is none."""
    monkeypatch.delenv("KAFKA_PASSWORD", raising=False)
    if value is not None:
        monkeypatch.setenv("KAFKA_PASSWORD", value)
    (problem,) = problems(path, pipeline(tables=SASL))
    assert problem == (
        "pipeline.0.source.security: the environment variable KAFKA_PASSWORD is not set"
    )


@pytest.mark.parametrize("table", ["source", "sink"])
def test_a_password_in_the_file_is_refused(path: Path, table: str) -> None:
    """Files are copied, committed and shown."""
    text = pipeline(tables=f'[pipeline.{table}.security]\npassword = "hunter2"')
    (problem,) = problems(path, text)
    assert problem == f"pipeline.0.{table}.security.password: unknown key"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ('protocol = "SASL_SSL"', "SASL_SSL needs mechanism, username and password_env"),
        ('protocol = "SSL"\nusername = "edge"', "SSL takes no username"),
        ('mechanism = "PLAIN"\nusername = "edge"', "PLAINTEXT takes no mechanism, username"),
        ('ca_file = "ca.pem"', "PLAINTEXT takes no ca_file"),
        ('protocol = "TLS"', "'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
    ],
)
def test_a_login_that_would_not_be_used_or_is_not_whole_is_refused(
    path: Path, lines: str, reason: str
) -> None:
    """Whoever writes a user name does not expect to go without."""
    (problem,) = problems(path, pipeline(tables=f"[pipeline.source.security]\n{lines}"))
    assert reason in problem


def test_the_live_pages_token_comes_from_the_environment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, or with an empty one, there is none."""
    config = load(path, MINIMAL + '[http]\ntoken_env = "PAGE_TOKEN"\n')
    monkeypatch.delenv("PAGE_TOKEN", raising=False)
    assert config.http.token is None
    monkeypatch.setenv("PAGE_TOKEN", "")
    assert config.http.token is None
    monkeypatch.setenv("PAGE_TOKEN", SECRET)
    assert config.http.token == SECRET
    assert SECRET not in repr(config)


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("pump-1", True),
        ("A.b_c-9", True),
        ("x" * 63, True),
        ("x" * 64, False),
        ("", False),
        ("../up", False),
        (".hidden", False),
        ("two words", False),
        ("line\\n", False),
    ],
)
def test_a_name_is_fit_for_paths_and_labels(path: Path, name: str, fine: bool) -> None:
    """It becomes a file's name and a metric's label."""
    text = MINIMAL.replace('name = "p"', f'name = "{name}"')
    if fine:
        load(path, text)
    else:
        (problem,) = problems(path, text)
        assert problem.startswith("pipeline.0.name: ")


@pytest.mark.parametrize("text", ["", "[http]\nport = 1\n"])
def test_there_is_a_pipeline_in_a_file(path: Path, text: str) -> None:
    """None is told."""
    assert any(problem.startswith("pipeline: ") for problem in problems(path, text))


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({}, "name 'p'"),
        ({'name = "p"': 'name = "q"\nstate.path = "state/p.sqlite"'}, "state.path"),
        ({'name = "p"': 'name = "q"', 'topic = "in"': 'topic = "in", group = "p"'}, "group"),
        ({'name = "p"': 'name = "q"', 'topic = "in"': 'topic = "b", group = "p"'}, "transactions"),
    ],
    ids=["name", "state", "group", "transactions"],
)
def test_pipelines_share_nothing(path: Path, changes: dict[str, str], shared: str) -> None:
    """What two pipelines would take from each other is told with both names."""
    first = MINIMAL.replace('name = "p"', 'name = "p"\nguarantee = "exactly_once"')
    second = first
    for old, new in changes.items():
        assert old in second
        second = second.replace(old, new)
    (problem,) = problems(path, first + second)
    assert shared in problem


def test_a_file_that_is_not_there_or_no_toml_is_told(path: Path) -> None:
    """With the line, where there is one."""
    with pytest.raises(ConfigError, match="can't read it: No such file"):
        load_config(path)
    with pytest.raises(ConfigError, match="can't read it: Is a directory"):
        load_config(path.parent)
    assert "line 2" in problems(path, "a = 1\nb = unquoted\nc = 2")[0]
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(path)


def test_a_loaded_configuration_cannot_be_changed(path: Path) -> None:
    """What was checked is what runs."""
    config = load(path, MINIMAL)
    with pytest.raises(ValidationError, match="frozen"):
        config.http.port = 1  # type: ignore[misc]  # what the test is about
