"""Sound from its sources through the whole pipeline, and models that hear something else."""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import orjson
import pytest
from confluent_kafka import Producer
from onnx import TensorProto, helper, numpy_helper

from pipeline.assemble import assemble
from pipeline.assemble_model import open_model
from pipeline.block import Float32, Records, Reject
from pipeline.config import PipelineConfig, load_config
from pipeline.errors import BundleError, ConfigError, StoreError, StreamcellError
from pipeline.manifest import Audio, Feature, Part
from tests.brokers import Broker, make_topic
from tests.pipeline.audio.sounds import noise, pcm, write_wav
from tests.pipeline.bundles import anomaly_bundle, manifest, save
from tests.shared import REPOSITORY

CHUNK, RATE = 800, 8000
FILE = """
[[pipeline]]
name = "p"
model = "m.onnx"
{more}
[pipeline.source]
{source}
[pipeline.sink]
type = "file"
path = "out.jsonl"
emit = "all"
"""


def loudness_bundle(path: Path, **changes: Any) -> Path:
    """A bundle that hears sound: y is the mean square of all chunks so far, and how many."""
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["square"]),
        helper.make_node("ReduceMean", ["square", "axes"], ["mean"], keepdims=1),
        helper.make_node("Concat", ["mean", "one"], ["step"], axis=1),
        helper.make_node("Shape", ["mean"], ["size"]),
        helper.make_node("Expand", ["unit", "size"], ["one"]),
        helper.make_node("Add", ["state", "step"], ["state_next"]),
        helper.make_node("Identity", ["state_next"], ["y"]),
    ]
    nodes = [nodes[at] for at in (0, 1, 3, 4, 2, 5, 6)]

    def tensor(name: str, columns: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", columns])

    graph = helper.make_graph(
        nodes,
        "loudness",
        [tensor("x", CHUNK), tensor("state", 2)],
        [tensor("y", 2), tensor("state_next", 2)],
        [
            numpy_helper.from_array(np.array([1]), "axes"),
            numpy_helper.from_array(np.ones(1, np.float32), "unit"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    fields: dict[str, Any] = {
        "name": "loudness",
        "task": "outputs",
        "features": (Feature(name="audio", unit="full scale"),),
        "audio": Audio(sample_rate_hz=RATE, chunk=CHUNK),
        "state": (Part(name="sum"), Part(name="count")),
        "outputs": (Part(name="sum"), Part(name="count")),
    }
    return save(model, path, manifest(**{**fields, **changes}).to_json())


class Place:
    """A folder with a configuration, a model of sound, and recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        loudness_bundle(folder / "m.onnx")

    def configure(self, source: str, more: str = "") -> None:
        (self.folder / "p.toml").write_text(FILE.format(source=source, more=more))

    def run(self) -> dict[str, list[tuple[float, float]]]:
        """As ``streamcell run`` does; stream → (mean square, chunks) after each chunk."""
        (config,) = load_config(self.folder / "p.toml").pipeline
        stop = threading.Event()
        assemble(config, self.folder, stop).loop.run(stop)
        found: dict[str, list[tuple[float, float]]] = {}
        path = self.folder / "out.jsonl"
        for line in path.read_bytes().splitlines() if path.exists() else ():
            row = orjson.loads(line)
            found.setdefault(row["stream"], []).append((row["sum"], row["count"]))
        return found

    def problem(self) -> StreamcellError:
        """What refuses the configured pipeline before it starts."""
        with pytest.raises(StreamcellError) as caught:
            open_model(load_config(self.folder / "p.toml").pipeline[0], self.folder)
        return caught.value


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """One of its own."""
    return Place(tmp_path)


AUDIO = 'type = "audio"\npath = "in"\nflush_ms = 150'


def expected(samples: Float32) -> list[tuple[float, float]]:
    """What the model says of one channel: its chunks, the last filled up, and two of silence."""
    chunks = -(-len(samples) // CHUNK)
    padded = np.zeros((chunks + 2, CHUNK))
    padded.ravel()[: len(samples)] = samples
    whole = len(padded) - (len(samples) % CHUNK > 0)  # the remainder waits in its stream
    sums = np.cumsum((padded**2).mean(axis=1))[:whole]
    return [(float(total), at + 1.0) for at, total in enumerate(sums)]


def same(found: list[tuple[float, float]], wanted: list[tuple[float, float]]) -> bool:
    """Within float32."""
    return len(found) == len(wanted) and bool(np.allclose(found, wanted, rtol=1e-5))


def test_a_folder_of_recordings_runs_to_its_end(place: Place) -> None:
    """Every channel a stream; a damaged file is a dead letter; a second run has nothing to do."""
    one, two = noise(2500), noise(1600, 2, seed=1)
    write_wav(place.folder / "in" / "one.wav", one, RATE)
    write_wav(place.folder / "in" / "two.wav", two, RATE)
    (place.folder / "in" / "bad.wav").write_bytes(b"no sound")
    place.configure(AUDIO)
    found = place.run()
    assert set(found) == {"one", "two.0", "two.1"}
    assert same(found["one"], expected(one[0]))
    assert same(found["two.1"], expected(two[1]))
    dead = [
        orjson.loads(line) for line in (place.folder / "out.jsonl.dead").read_bytes().splitlines()
    ]
    assert [(letter["cause"], letter["partition"]) for letter in dead] == [("malformed", 0)]
    assert place.run() == found


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("silence", np.zeros((1, 4000), np.float32)),
        ("clipped", np.clip(noise(4000, level=0.9) * 8, -1, 32767 / 32768)),
        ("offset", noise(4000) + np.float32(0.5)),
    ],
)
def test_sound_that_is_badly_recorded_is_stepped_like_any_other(
    name: str, samples: Float32, place: Place
) -> None:
    """Silence, clipping and a constant offset harm nobody."""
    samples = samples.astype(np.float32)
    write_wav(place.folder / "in" / f"{name}.wav", samples, RATE)
    write_wav(place.folder / "in" / "good.wav", noise(1600), RATE)
    place.configure(AUDIO)
    found = place.run()
    kept = np.rint(samples[0] * 32768) / 32768
    assert same(found[name], expected(kept))
    assert same(found["good"], expected(noise(1600)[0]))
    assert not (place.folder / "out.jsonl.dead").read_bytes()


def test_a_restart_goes_on_inside_of_a_recording(place: Place) -> None:
    """With the state it had: the model's sums are those of one run."""
    samples = noise(RATE * 4)
    write_wav(place.folder / "in" / "a.wav", samples, RATE)
    place.configure(AUDIO, "commit_every_ms = 1\nengine = { max_rows = 1 }")
    (config,) = load_config(place.folder / "p.toml").pipeline
    rows = []
    for steps in (7, 11, 1000):
        stop = threading.Event()
        sink = Stopping(stop, steps)
        assemble(config, place.folder, stop, sink=sink).loop.run(stop)
        rows += sink.rows
    assert same(rows, expected(samples[0]))


class Stopping:
    """A sink that stops the pipeline after so many outputs."""

    def __init__(self, stop: threading.Event, rows: int) -> None:
        self.rows: list[tuple[float, float]] = []
        self.keys: list[bytes] = []
        self.rejects: list[Reject] = []
        self._stop, self._most = stop, rows

    def open(self) -> None: ...

    def send(self, records: Records) -> None:
        self.rows += zip(
            records.columns["sum"].ravel().tolist(),
            records.columns["count"].ravel().tolist(),
            strict=True,
        )
        self.keys += records.key.tolist()
        if len(self.rows) >= self._most:
            self._stop.set()

    def reject(self, rejects: Sequence[Reject]) -> None:
        self.rejects += rejects

    def flush(self) -> None: ...

    def close(self) -> None: ...


KAFKA = 'type = "kafka"\nbrokers = "127.0.0.1:1"\ntopic = "sound"\n'


@pytest.mark.parametrize("client", ["confluent", "kafka-python"])
def test_sound_over_kafka_is_heard_whatever_its_pieces(
    noida: Broker, place: Place, client: str
) -> None:
    """Records of any length, several streams; bad ones are dead letters; a tombstone ends one."""
    sounds = {b"a": noise(4000)[0], b"b": noise(3000, seed=1)[0]}
    topic, rng = make_topic(noida, 1), np.random.default_rng(0)
    producer = Producer({"bootstrap.servers": noida.address})
    for key, samples in sounds.items():
        at = 0
        while at < len(samples):
            length = int(rng.integers(1, 1500))
            producer.produce(topic, pcm(samples[at : at + length]), key, partition=0)
            at += length
        producer.produce(topic, b"odd", key, partition=0)
        producer.produce(topic, b"", key, partition=0)
        producer.produce(topic, None, key, partition=0)
    assert producer.flush(60) == 0
    place.configure(
        f'type = "kafka"\nbrokers = "{noida.address}"\ntopic = "{topic}"\npayload = "pcm"\n'
        f'flush_ms = 150\nclient = "{client}"'
    )
    wanted = {key: expected(samples) for key, samples in sounds.items()}
    stop = threading.Event()
    sink = Stopping(stop, sum(map(len, wanted.values())))
    (config,) = load_config(place.folder / "p.toml").pipeline
    assemble(config, place.folder, stop, sink=sink).loop.run(stop)
    for key, rows in wanted.items():
        assert same([row for of, row in zip(sink.keys, sink.rows, strict=True) if of == key], rows)
    assert [reject.reason.split()[0] for reject in sink.rejects] == ["3", "the"] * 2


@pytest.mark.parametrize(
    "source", [KAFKA, KAFKA + 'payload = "float32"', 'type = "file"\npath = "rows.csv"']
)
def test_a_model_of_sound_needs_a_source_of_sound(source: str, place: Place) -> None:
    """The error says which there are."""
    place.configure(source)
    problem = place.problem()
    assert isinstance(problem, ConfigError)
    assert 'payload = "pcm"' in str(problem)
    assert 'type = "microphone"' in str(problem)


@pytest.mark.parametrize("source", [KAFKA + 'payload = "pcm"', AUDIO, 'type = "microphone"'])
def test_a_source_of_sound_needs_a_model_of_sound(source: str, place: Place) -> None:
    """The error names the features that the model takes."""
    anomaly_bundle(place.folder / "m.onnx")
    place.configure(source)
    problem = place.problem()
    assert isinstance(problem, BundleError)
    assert "a, b" in str(problem)


def test_records_at_another_rate_are_refused(place: Place) -> None:
    """With what to do about it; the model's own rate may be named."""
    place.configure(KAFKA + 'payload = "pcm"\nsample_rate_hz = 8000')
    open_model(load_config(place.folder / "p.toml").pipeline[0], place.folder)
    place.configure(KAFKA + 'payload = "pcm"\nsample_rate_hz = 16000')
    problem = place.problem()
    assert isinstance(problem, ConfigError)
    assert "16000" in str(problem)
    assert "producers send the model's rate" in str(problem)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (KAFKA + "flush_ms = 100", 'payload "json" takes no flush_ms'),
        (KAFKA + 'payload = "float32"\nsample_rate_hz = 8000', "takes no sample_rate_hz"),
        (KAFKA + 'payload = "pcm"\ntime_field = "t"', 'payload "pcm" takes no time_field'),
        ('type = "microphone"\nchannels = 0', "channels"),
        ('type = "audio"', "path"),
        ('type = "audio"\npath = "in"\nfeatures = ["a"]', "features: unknown key"),
    ],
)
def test_keys_that_do_not_belong_are_told(source: str, said: str, place: Place) -> None:
    """Before a model is opened."""
    place.configure(source)
    with pytest.raises(ConfigError, match=said):
        load_config(place.folder / "p.toml")


def documented() -> list[dict[str, Any]]:
    """The sources in the page about sound."""
    page = (REPOSITORY / "docs" / "audio.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [tomllib.loads(block)["pipeline"]["source"] for block in blocks]


def test_the_documented_sources_are_right(tmp_path: Path) -> None:
    """As they stand, before a model of sound."""
    loudness_bundle(tmp_path / "m.onnx")
    sources = documented()
    assert [source["type"] for source in sources] == ["microphone", "audio", "kafka"]
    for source in sources:
        fields = {"name": "p", "model": "m.onnx", "source": source}
        sink = {"type": "file", "path": "out.jsonl"}
        open_model(PipelineConfig.model_validate({**fields, "sink": sink}), tmp_path)


def test_a_restart_with_other_labels_is_stopped(place: Place) -> None:
    """The graph, and so the fingerprint, is the same; the symbols in the states are others."""
    head = {"form": "words", "labels": ["", "yes"], "frame_s": CHUNK / RATE, "separator": " "}

    def label(word: str, endpoint_s: float) -> None:
        changed = {**head, "labels": ["", word], "endpoint_s": endpoint_s}
        part = Part(name="log_probs", shape=(1, 2))
        loudness_bundle(place.folder / "m.onnx", task="speech", outputs=(part,), head=changed)

    write_wav(place.folder / "in" / "a.wav", noise(RATE), RATE)
    place.configure(AUDIO)
    for endpoint_s in (0.5, 0.7):
        label("yes", endpoint_s)
        (config,) = load_config(place.folder / "p.toml").pipeline
        assemble(config, place.folder, threading.Event()).loop.run(threading.Event())
    label("no", 0.7)
    with pytest.raises(StoreError, match="other labels"):
        assemble(config, place.folder, threading.Event())
