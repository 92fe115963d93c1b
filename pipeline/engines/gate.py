"""A gate in front of a model of sound: where nobody speaks, the model is not stepped.

The gate is a model of its own, such as a voice activity detector. Both are stepped here, each with
its own piece of the stream's state. The gate hears a chunk before the model does, so that the
model gets the onset of what opened the gate: it is one chunk behind.
"""

from __future__ import annotations

import hashlib

import numpy as np

from pipeline.block import Float32
from pipeline.engines.base import Engine
from pipeline.errors import BundleError
from pipeline.manifest import Manifest, Part

GATE = "gate"  # the output part: [open, speech probability]
DELAY = "delay_s"  # the head's parameter that tells how late the model's outputs are


def gated_manifest(model: Manifest, gate: Manifest, output: str) -> Manifest:
    """What the pair looks like to the runtime; raises BundleError where they don't fit.

    State is: the gate's, the chunks it stays open for, the chunk that the model gets next, and the
    model's.
    """
    if model.audio is None or gate.audio is None:
        raise BundleError(f"{gate.name}: a gate is for sound, in front of a model of sound")
    if gate.output_slice(output).stop - gate.output_slice(output).start != 1:
        raise BundleError(
            f"{gate.name}: output {output!r} is not one number, so it can't be a gate"
        )
    if gate.audio.sample_rate_hz != model.audio.sample_rate_hz:
        raise BundleError(
            f"{gate.name}: the gate hears {gate.audio.sample_rate_hz} Hz, {model.name} hears "
            f"{model.audio.sample_rate_hz} Hz"
        )
    if model.audio.chunk % gate.audio.chunk:
        raise BundleError(
            f"{gate.name}: the gate's chunk of {gate.audio.chunk} samples does not divide the "
            f"{model.audio.chunk} of {model.name}; train that with a chunk of which it is a part "
            f"(at 16 kHz, 160 ms hold 5 chunks of 512)"
        )
    pair = f"{gate.fingerprint} {model.fingerprint}"
    head = dict(model.head)
    if model.task == "speech" or DELAY in head:
        head[DELAY] = head.get(DELAY, 0.0) + model.audio.chunk_s
    parts = [part.model_copy(update={"name": f"gate.{part.name}"}) for part in gate.state]
    parts += [Part(name="gate.hold"), Part(name="gate.chunk", shape=(model.audio.chunk,))]
    return model.model_copy(
        update={
            "state": (*parts, *model.state),
            "outputs": (*model.outputs, Part(name=GATE, shape=(2,))),
            "head": head,
            "fingerprint": hashlib.sha256(pair.encode()).hexdigest()[:32],
        }
    )


class GateEngine:
    """Implements the engine contract with two engines; where the gate is shut y is zeros.

    The gate opens where its ``output`` reaches ``threshold``. The model hears the chunk before the
    one where it did, that one, and ``hold_chunks`` after the last one where it did.
    """

    def __init__(
        self,
        model: Engine,
        gate: Engine,
        manifests: tuple[Manifest, Manifest],
        *,
        output: str,
        threshold: float,
        hold_chunks: int,
    ) -> None:
        self._model, self._gate = model, gate
        of_model, of_gate = manifests
        if of_gate.audio is None:
            raise BundleError(f"{of_gate.name}: a gate is for sound")
        self._chunk = of_gate.audio.chunk
        self._own = of_gate.state_width
        self._output = of_gate.output_slice(output).start
        self._width = of_model.output_width
        self._threshold, self._hold = threshold, hold_chunks
        self.name = f"{model.name} behind {of_gate.name}"
        self.device = model.device

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        """``x [B, chunk], state [B, D] → y [B, K + 2], state_next [B, D]``."""
        own, rows = self._own, len(x)
        of_gate, speech = np.ascontiguousarray(state[:, :own]), np.zeros(rows, np.float32)
        for at in range(0, x.shape[1], self._chunk):
            heard, of_gate = self._gate.step(x[:, at : at + self._chunk], of_gate)
            speech = np.maximum(speech, heard[:, self._output])
        # One step for the chunk at hand, of which the model hears at the next, one for that before.
        hold = np.where(speech >= self._threshold, self._hold + 2, state[:, own] - 1)
        hold = np.maximum(hold, 0.0)
        after = state.copy()
        after[:, :own], after[:, own] = of_gate, hold
        after[:, own + 1 : own + 1 + x.shape[1]] = x
        y = np.zeros((rows, self._width + 2), np.float32)
        open_ = np.flatnonzero(hold > 0)
        if len(open_):
            waiting = state[open_, own + 1 :]
            late, of_model = waiting[:, : x.shape[1]], waiting[:, x.shape[1] :]
            found, of_model = self._model.step(late, np.ascontiguousarray(of_model))
            y[open_, : self._width] = found
            after[open_, own + 1 + x.shape[1] :] = of_model
        y[:, -2], y[:, -1] = hold > 0, speech
        return y, after

    def close(self) -> None:
        """Close both engines."""
        self._model.close()
        self._gate.close()
