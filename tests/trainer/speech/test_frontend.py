"""The front end: against Kaldi's features, against the definition, and cut in any way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kaldi_native_fbank as knf
import numpy as np
import onnxruntime
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from export.graph import step_graph
from export.write import Description, write_bundle
from pipeline.bundle import INPUTS, OUTPUTS, read_bundle
from pipeline.manifest import Audio, Feature
from tests.trainer.blocks.test_agreement import Alone
from trainer.blocks import CausalConv, Stack
from trainer.speech.filters import mel_bands
from trainer.speech.frontend import FLOOR, FrontEnd, FrontEndSettings

RATE = 16_000
PLAIN: dict[str, Any] = {"mean_s": 0.0}
EVERYTHING: dict[str, Any] = {"kind": "mfcc", "deltas": 2}


def sound(seconds: float = 2.0, rate: int = RATE, streams: int = 1) -> Tensor:
    """A glide, noise that comes and goes, an offset, and a stretch of silence; [B, S]."""
    at = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(3).normal(size=(streams, len(at)))
    glide = 0.3 * np.sin(2 * np.pi * (200 + 700 * at) * at)
    swell = 0.01 * (1.5 + np.sin(9 * at))
    some = glide + swell * noise + 0.05 + 0.1 * np.arange(streams)[:, None]
    some[:, round(0.7 * len(at)) : round(0.8 * len(at))] = 0.0
    return torch.from_numpy(some.astype(np.float32))


def fitted(**settings: Any) -> FrontEnd:
    """Features with a mean of about 0 and a spread of about 1, as a model gets them."""
    block = FrontEnd(FrontEndSettings(**settings))
    block.fit(list(sound(1.0)))
    return block


def kaldi(samples: Tensor, settings: FrontEndSettings) -> np.ndarray[Any, Any]:
    """kaldi-native-fbank's frames of samples [S], after as many zeros as a new state holds."""
    mfcc = settings.kind == "mfcc"
    options = knf.MfccOptions() if mfcc else knf.FbankOptions()
    frame, bands = options.frame_opts, options.mel_opts
    frame.samp_freq, frame.dither = settings.sample_rate_hz, 0.0
    frame.window_type = {"hann": "hanning"}.get(settings.window, settings.window)
    frame.preemph_coeff = settings.preemphasis
    frame.frame_length_ms, frame.frame_shift_ms = settings.window_ms, settings.hop_ms
    bands.num_bins = settings.bands
    bands.low_freq, bands.high_freq = settings.low_hz, settings.high_hz
    options.use_energy = False
    if mfcc:
        options.num_ceps, options.cepstral_lifter = settings.cepstra, settings.lifter
    made = (knf.OnlineMfcc if mfcc else knf.OnlineFbank)(options)
    padded = np.pad(samples.numpy(), (settings.window_samples - settings.hop, 0))
    made.accept_waveform(settings.sample_rate_hz, padded.tolist())
    made.input_finished()
    return np.stack([made.get_frame(at) for at in range(made.num_frames_ready)])


@pytest.mark.parametrize("kind", ["log_mel", "mfcc"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"window": "hamming", "bands": 23, "low_hz": 130.0, "high_hz": 6800.0},
        {"window": "hann", "preemphasis": 0.0, "window_ms": 32.0, "hop_ms": 16.0, "chunk": 1024},
        {"sample_rate_hz": 8000, "chunk": 640, "bands": 30, "high_hz": -200.0, "lifter": 0.0},
    ],
)
def test_frames_are_kaldis(kind: str, more: dict[str, Any]) -> None:
    """Within 2e-3 for values of up to about 16 (logs) and 60 (cepstra); both are float32."""
    settings = FrontEndSettings(kind=kind, **PLAIN, **more)
    samples = sound(rate=settings.sample_rate_hz)
    own = FrontEnd(settings).frames(samples)[0].numpy()
    wanted = kaldi(samples[0], settings)
    assert own.shape == wanted.shape
    assert np.abs(wanted).max() > 10
    np.testing.assert_allclose(own, wanted, rtol=0, atol=2e-3)


def defined_mfcc(samples: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Cepstra from the definition, frame by frame in float64, sums written out."""
    padded, found = np.concatenate([np.zeros(240), samples.astype(np.float64)]), []
    weights = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    low, high = (1127 * np.log(1 + hz / 700) for hz in (20.0, 8000.0))
    width = (high - low) / 41
    for start in range(0, len(padded) - 399, 160):
        frame = padded[start : start + 400]
        frame = frame - frame.mean()
        emphasised = np.append(frame[0] - 0.97 * frame[0], frame[1:] - 0.97 * frame[:-1])
        power = np.abs(np.fft.rfft(weights * emphasised, 512)) ** 2
        logs = []
        for band in range(40):
            centre, energy = low + (band + 1) * width, 0.0
            for bin_ in range(256):
                away = abs(1127 * np.log(1 + bin_ * 16000 / 512 / 700) - centre) / width
                energy += max(0.0, 1.0 - away) * power[bin_]
            logs.append(np.log(max(float(energy), FLOOR)))
        cepstra = []
        for order in range(13):
            size = np.sqrt((1 if order == 0 else 2) / 40)
            value = sum(
                logs[band] * np.cos(np.pi * order * (band + 0.5) / 40) for band in range(40)
            )
            cepstra.append(size * value * (1 + 11 * np.sin(np.pi * order / 22)))
        found.append(cepstra)
    return np.asarray(found)


def test_cepstra_are_what_the_definition_says() -> None:
    """Within 2e-3, by an implementation that shares nothing with the one under test."""
    samples = sound(0.5)
    own = FrontEnd(FrontEndSettings(kind="mfcc", **PLAIN)).frames(samples)[0].numpy()
    wanted = defined_mfcc(samples[0].numpy())
    assert own.shape == wanted.shape == (50, 13)
    np.testing.assert_allclose(own, wanted, rtol=0, atol=2e-3)


@pytest.mark.parametrize("more", [EVERYTHING, {"deltas": 1}, {"mean_s": 0.5, "prior_s": 0.05}])
def test_the_chunk_size_changes_nothing(more: dict[str, Any]) -> None:
    """Chunks of 10 to 320 ms, stepped, give the frames of the whole recording, within 1e-4."""
    samples = sound(2.56, streams=2)
    whole = fitted(**more).frames(samples)
    for chunk_ms in (10, 20, 40, 80, 160, 320):
        block = fitted(chunk=RATE * chunk_ms // 1000, **more)
        state, found = block.fresh(2), []
        for x in samples.split(block.inputs, dim=1):  # type: ignore[no-untyped-call]  # torch's
            y, state = block.step(x, state)
            found.append(y.reshape(2, -1, block.settings.width))
        torch.testing.assert_close(torch.cat(found, dim=1), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("more", [EVERYTHING, {}, PLAIN])
def test_sequence_steps_and_graph_agree(more: dict[str, Any]) -> None:
    """``forward``, ``step`` and ONNX Runtime, from a state that is not fresh."""
    model = Alone(fitted(chunk=1280, **more)).eval()
    samples = sound(2.4, streams=3).reshape(3, -1, 1280)
    _, state = model(samples[:, :7], model.initial_state(3))
    whole, last = model(samples[:, 7:], state)
    graph = step_graph(model, samples[:, 0]).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    stepped, fed = state, state.numpy()
    for at in range(7, samples.shape[1]):
        y, stepped = model.step(samples[:, at], stepped)
        torch.testing.assert_close(y, whole[:, at - 7], rtol=1e-4, atol=1e-4)
        own, fed = session.run(
            OUTPUTS, dict(zip(INPUTS, (samples[:, at].numpy(), fed), strict=True))
        )
        np.testing.assert_allclose(own, y.numpy(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(stepped, last, rtol=1e-4, atol=1e-4)
    assert len(graph) < 1_000_000


def test_a_bundle_takes_sound(tmp_path: Path) -> None:
    """Written behind the parity gate, with a learnt block behind the features."""
    front = FrontEnd(FrontEndSettings(chunk=160))
    model = Alone(Stack([front, CausalConv(front.outputs, 3, 3, "front")])).eval()
    description = Description(
        name="features",
        task="speech",
        features=(Feature(name="audio", unit="full scale"),),
        audio=Audio(sample_rate_hz=RATE, chunk=160),
    )
    rows = sound(0.5, streams=2).reshape(2, -1, 160).numpy()
    write_bundle(model, description, rows, tmp_path / "features.onnx")
    manifest = read_bundle(tmp_path / "features.onnx").manifest
    assert manifest.audio is not None
    assert manifest.state[0].name == "frontend.samples"
    assert manifest.state[0].width == 240


def test_the_running_mean_follows() -> None:
    """It is the fading mean of the frames so far, the prior's counted in."""
    block = FrontEnd(FrontEndSettings(mean_s=0.5, prior_s=0.1))
    raw = FrontEnd(FrontEndSettings(**PLAIN))
    raw.fit(list(sound(1.0)))
    block.centre.copy_(raw.centre)
    samples = sound(2.0)
    static = raw.frames(samples)[0] * raw.scale
    factor, total, count, wanted = np.exp(-0.01 / 0.5), torch.zeros(40), 10.0, []
    for row in static:
        total, count = factor * total + row, factor * count + 1.0
        wanted.append(row - total / count)
    torch.testing.assert_close(block.frames(samples)[0], torch.stack(wanted), rtol=1e-3, atol=1e-3)


def test_gain_is_forgotten() -> None:
    """A quarter of the loudness gives the same features once the mean has followed."""
    block = FrontEnd(FrontEndSettings(mean_s=0.2))
    samples = sound(4.0)[:, : 2 * RATE]  # without its silence
    loud, soft = block.frames(samples), block.frames(0.25 * samples)
    assert (loud - soft)[:, :5].abs().mean() > 0.5
    assert (loud - soft)[:, 100:].abs().mean() < 0.05


def test_deltas_are_slopes_of_past_frames() -> None:
    """The delta beside frame t is the one about t - 2, the second about t - 4; no frame waits."""
    block = FrontEnd(FrontEndSettings(deltas=2, **PLAIN))
    static, first, second = block.frames(sound())[0].split(40, dim=1)  # type: ignore[no-untyped-call]  # torch's
    at = 60
    line = torch.arange(-2.0, 3.0) / 10.0
    torch.testing.assert_close(first[at], line @ static[at - 4 : at + 1])
    torch.testing.assert_close(second[at], line @ first[at - 4 : at + 1], rtol=1e-4, atol=1e-5)
    changed = sound()
    changed[:, (at + 1) * 160 :] = 0.3
    before, after = block.frames(sound())[0], block.frames(changed)[0]
    torch.testing.assert_close(before[: at + 1], after[: at + 1])


def test_mean_and_spread_come_from_training_frames() -> None:
    """After ``fit`` they are 0 and 1 over the same recordings; fitting again changes nothing."""
    block = FrontEnd(FrontEndSettings(kind="mfcc", **PLAIN))
    recordings = list(sound(1.0, streams=3))
    for _ in range(2):
        block.fit(recordings)
        frames = block.frames(torch.stack(recordings)).flatten(0, 1)
        torch.testing.assert_close(frames.mean(dim=0), torch.zeros(13), rtol=0, atol=1e-3)
        torch.testing.assert_close(frames.std(dim=0), torch.ones(13), rtol=0, atol=1e-2)


def test_a_recording_shorter_than_a_hop_has_no_frames() -> None:
    """And samples beyond the last hop make none."""
    block = FrontEnd(FrontEndSettings())
    assert block.frames(torch.zeros(2, 159)).shape == (2, 0, 40)
    assert block.frames(torch.zeros(2, 479)).shape == (2, 2, 40)
    with pytest.raises(ValueError, match="no frames"):
        block.fit([])


def test_silence_and_full_scale_stay_finite() -> None:
    """Digital silence is at the floor; a clipped square wave is no problem."""
    block = FrontEnd(FrontEndSettings(**EVERYTHING))
    square = torch.sign(torch.sin(torch.arange(RATE) * 0.3))[None]
    for samples in (torch.zeros(1, RATE), torch.ones(1, RATE), square):
        assert torch.isfinite(block.frames(samples)).all()
    plain = FrontEnd(FrontEndSettings(**PLAIN)).frames(torch.zeros(1, RATE))
    torch.testing.assert_close(plain, torch.full_like(plain, np.log(FrontEndSettings().floor)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"chunk": 1000}, "no whole hops of 160"),
        ({"sample_rate_hz": 11_025}, "not a whole number"),
        ({"window_ms": 5.0}, "too short"),
        ({"high_hz": 9000.0}, "half the sampling rate"),
        ({"low_hz": 8000.0}, "don't fit"),
        ({"bands": 10}, "13 cepstra of 10 bands"),
        ({"bands": 200}, "ask for fewer bands"),
        ({"bandz": 3}, "bandz"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, Any], message: str) -> None:
    """In words."""
    with pytest.raises(ValidationError, match=message):
        FrontEndSettings(**given)


def test_bands_overlap_to_one() -> None:
    """Between the centres of the first and the last band the triangles add up to 1."""
    total = mel_bands(40, 512, RATE, 20.0, 8000.0).sum(axis=1)
    np.testing.assert_allclose(total[4:220], 1.0)
