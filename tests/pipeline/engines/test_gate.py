"""A gate in front of a model of sound: shut, the model rests; open, it hears the onset too."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.block import Float32
from pipeline.engines.gate import GateEngine, gated_manifest
from pipeline.errors import BundleError
from pipeline.manifest import Audio, Feature, Manifest, Part

HOLD = 2


class Loudness:
    """A gate on chunks of two samples: the larger one; its state counts chunks."""

    name, device = "loudness", "cpu"

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        return x.max(axis=1, keepdims=True), state + 1

    def close(self) -> None:
        pass


class Memory:
    """A model on chunks of four samples: y is their sum, state the sum of all it has heard."""

    name, device = "memory", "cpu"

    def __init__(self) -> None:
        self.rows = 0

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        self.rows += len(x)
        total = x.sum(axis=1, keepdims=True)
        return total, state + total

    def close(self) -> None:
        pass


def manifest(name: str, chunk: int, rate: int = 16_000, output: str = "speech") -> Manifest:
    """One float of state and one of output, on sound."""
    return Manifest(
        name=name,
        task="outputs",
        features=(Feature(name="audio"),),
        audio=Audio(sample_rate_hz=rate, chunk=chunk),
        state=(Part(name="own"),),
        outputs=(Part(name=output),),
        head={"delay_s": 0.25},
        fingerprint=name,
        created="",
    )


MODEL, GATE = manifest("memory", 4, output="sum"), manifest("loudness", 2)


def pair(hold: int = HOLD) -> tuple[GateEngine, Memory, Manifest]:
    """The pair, its model, and what it says of itself."""
    model = Memory()
    engine = GateEngine(
        model, Loudness(), (MODEL, GATE), output="speech", threshold=0.5, hold_chunks=hold
    )
    return engine, model, gated_manifest(MODEL, GATE, "speech")


def heard(sound: list[float], hold: int = HOLD) -> tuple[Float32, Float32, int]:
    """One stream, each number four samples: y [T, 3], the last state, rows the model stepped."""
    engine, model, both = pair(hold)
    state = both.initial_state()[None]
    answers = []
    for level in sound:
        y, state = engine.step(np.full((1, 4), level, np.float32), state)
        answers.append(y[0])
    return np.array(answers), state[0], model.rows


def test_silence_steps_the_gate_alone() -> None:
    """The model's own state stays as it was."""
    y, state, rows = heard([0.1, 0.2, 0.3])
    assert rows == 0
    assert y[:, 1].tolist() == [0, 0, 0]
    np.testing.assert_allclose(y[:, 2], [0.1, 0.2, 0.3])
    assert state[-1] == 0


def test_the_model_hears_the_chunk_before_the_one_that_opened_the_gate() -> None:
    """Then that one, and those of the hold; the model is one chunk behind all along."""
    y, state, rows = heard([0.25, 1.0, 0.25, 0.125, 0.125, 0.125])
    assert y[:, 1].tolist() == [0, 1, 1, 1, 1, 0]
    assert y[:, 0].tolist() == [0, 1.0, 4.0, 1.0, 0.5, 0]
    assert rows == 4
    assert state[-1] == 6.5


@pytest.mark.parametrize("hold", [0, 1, 2, 3])
def test_the_hold_counts_from_the_last_chunk_that_opened_the_gate(hold: int) -> None:
    """That one is always heard, also without a hold."""
    sound = [0.125, 0.25, 1.0, 1.0, 0.0625, 0.375, 0.4375, 0.3125, 0.1875]
    y, _, rows = heard(sound, hold)
    assert rows == 3 + hold
    assert y[y[:, 1] > 0, 0].tolist() == [4 * level for level in sound[1 : 4 + hold]]


def test_streams_of_a_batch_open_and_shut_by_themselves() -> None:
    """What is batched with a stream changes nothing for it."""
    engine, _, both = pair()
    rng = np.random.default_rng(1)
    sound = (rng.random((12, 5, 4)) ** 3).astype(np.float32)
    state = np.repeat(both.initial_state()[None], 5, axis=0)
    together = []
    for chunk in sound:
        y, state = engine.step(chunk, state)
        together.append(y)
    for at in range(5):
        alone = both.initial_state()[None]
        for step, chunk in enumerate(sound):
            y, alone = engine.step(chunk[at : at + 1], alone)
            np.testing.assert_array_equal(y[0], together[step][at])
        np.testing.assert_array_equal(alone[0], state[at])


def test_the_pair_says_what_it_is() -> None:
    """Layout, delay and fingerprint are those of both."""
    _, _, both = pair()
    assert [part.name for part in both.state] == [
        "gate.own",
        "gate.hold",
        "gate.chunk",
        "own",
    ]
    assert both.outputs[-1] == Part(name="gate", shape=(2,))
    assert both.head["delay_s"] == 0.25 + 4 / 16_000
    other = gated_manifest(MODEL, manifest("other", 2), "speech")
    assert len({both.fingerprint, other.fingerprint, MODEL.fingerprint}) == 3


def test_a_speech_model_that_names_no_delay_has_the_gates() -> None:
    """Or all its times would be a chunk late; other tasks know no delay."""
    for task, delay in (("speech", {"delay_s": 4 / 16_000}), ("outputs", {})):
        model = MODEL.model_copy(update={"task": task, "head": {}})
        assert gated_manifest(model, GATE, "speech").head == delay


@pytest.mark.parametrize(
    ("gate", "complaint"),
    [
        (manifest("odd", 3), "does not divide"),
        (manifest("slow", 2, rate=8000), "8000 Hz"),
        (manifest("mute", 2, output="noise"), "no output part 'speech'"),
        (MODEL.model_copy(update={"audio": None}), "for sound"),
    ],
)
def test_a_gate_that_does_not_fit_is_refused(gate: Manifest, complaint: str) -> None:
    """Before anything is stepped, by name."""
    with pytest.raises(BundleError, match=complaint):
        gated_manifest(MODEL, gate, "speech")
