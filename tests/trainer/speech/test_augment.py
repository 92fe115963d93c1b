"""Changes to sound: as strong as they say, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from trainer.speech.augment import (
    Change,
    at_speed,
    changed,
    coloured_noise,
    convolved,
    masked,
    room_responses,
    with_gain,
    with_noise,
)

RATE = 16_000


def drawn(seed: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def tones(*hz: float, seconds: float = 1.0) -> Tensor:
    """One tone a row, at 0.1 of full scale."""
    at = torch.arange(round(seconds * RATE)) / RATE
    return 0.1 * torch.sin(2 * torch.pi * torch.tensor(hz)[:, None] * at)


def power(samples: Tensor) -> Tensor:
    """The mean power of each row."""
    return samples.square().mean(dim=1)


def peak_hz(samples: Tensor) -> float:
    """Where the spectrum of samples [S] is highest."""
    return float(torch.fft.rfft(samples).abs().argmax()) * RATE / len(samples)


def test_the_same_seed_gives_the_same_sound() -> None:
    """And another one another."""
    samples, noises = tones(300, 500, 700, 900), [torch.randn(5000, generator=drawn(5))]
    change = Change(noise_share=0.8, room_share=0.8)
    first, again, other = (
        changed(samples, noises, change, RATE, drawn(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == samples.shape
    assert torch.equal(samples, tones(300, 500, 700, 900)), "the given sound may not change"


def test_nothing_asked_changes_nothing() -> None:
    """Shares and gain of zero."""
    still = Change(noise_share=0.0, room_share=0.0, gain_db=(0.0, 0.0))
    torch.testing.assert_close(changed(tones(300), [], still, RATE, drawn()), tones(300))


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_speed_changes_length_and_pitch(speed: float) -> None:
    """By the same factor."""
    found = at_speed(tones(1000)[0].numpy(), speed, RATE)
    assert len(found) == pytest.approx(RATE / speed, abs=2)
    assert peak_hz(torch.from_numpy(found)) == pytest.approx(1000 * speed, abs=3)


def test_noise_is_as_strong_as_asked() -> None:
    """Against what is loud in the recording: pauses before and behind it don't count."""
    noise = torch.randn(2, RATE, generator=drawn())
    added = with_noise(tones(300, 500), noise, torch.tensor([10.0, 0.0])) - tones(300, 500)
    ratio = 10 * torch.log10(power(tones(300, 500)) / power(added))
    torch.testing.assert_close(ratio, torch.tensor([10.0, 0.0]), rtol=0, atol=0.2)
    paused = torch.cat([torch.zeros(2, 2 * RATE), tones(300, 500)], dim=1)
    more = torch.randn(2, 3 * RATE, generator=drawn())
    added = with_noise(paused, more, torch.tensor([10.0, 0.0])) - paused
    ratio = 10 * torch.log10(power(tones(300, 500)) / power(added))
    torch.testing.assert_close(ratio, torch.tensor([10.0, 0.0]), rtol=0, atol=0.2)


def test_silence_stays_silence() -> None:
    """It has no power to set noise against; and silent noise adds nothing."""
    silence, noise = torch.zeros(1, 500), torch.randn(1, 500, generator=drawn())
    assert torch.equal(with_noise(silence, noise, torch.zeros(1)), silence)
    assert torch.equal(with_noise(noise, silence, torch.zeros(1)), noise)
    assert torch.isfinite(convolved(silence, room_responses(torch.ones(1), 8000, drawn()))).all()


def test_noise_has_its_colour() -> None:
    """White holds as much power in the upper half of the band as below; pink falls by octaves."""
    found = coloured_noise(2, 1 << 15, torch.tensor([0.0, 1.0]), drawn())
    spectrum = torch.fft.rfft(found).abs().square()
    octaves = torch.stack([spectrum[:, 1 << k : 2 << k].sum(dim=1) for k in range(6, 14)])
    growth = (octaves[1:] / octaves[:-1]).mean(dim=0)
    torch.testing.assert_close(growth, torch.tensor([2.0, 1.0]), rtol=0.1, atol=0)
    torch.testing.assert_close(power(found), torch.ones(2), rtol=0.01, atol=0)


def test_a_room_dies_away() -> None:
    """By 60 dB in the time asked, after the click itself."""
    answers = room_responses(torch.tensor([0.2, 0.4]), RATE, drawn())
    assert answers.shape == (2, round(0.4 * RATE))
    assert (answers[:, 0] == 1.0).all()
    early, late = answers[1, 400:1200].square().mean(), answers[1, 3600:4400].square().mean()
    assert 10 * torch.log10(early / late) == pytest.approx(30.0, abs=2.0)


def test_convolution_is_the_sum_it_stands_for() -> None:
    """Against numpy's, but for the strength, which stays."""
    samples, answers = (
        torch.randn(1, 300, generator=drawn()),
        torch.randn(1, 50, generator=drawn(1)),
    )
    wanted = np.convolve(samples[0].numpy(), answers[0].numpy())[:300]
    found = convolved(samples, answers)
    torch.testing.assert_close(power(found), power(samples))
    wanted *= np.sqrt(float(power(samples)) / np.mean(wanted**2))
    np.testing.assert_allclose(found[0].numpy(), wanted, atol=1e-4)


def test_gain_clips_at_full_scale() -> None:
    """As a converter does."""
    found = with_gain(tones(300, 300), torch.tensor([-20.0, 40.0]))
    assert found[0].abs().max() == pytest.approx(0.01, rel=0.01)
    assert found[1].max() == 1.0


def test_masks_hide_no_more_than_they_may() -> None:
    """Whole stretches of time and of features, in other places in each row."""
    frames = torch.ones(8, 100, 40)
    found = masked(frames, drawn(), spans=1, span=10, stripes=1, stripe=4)
    times, features = (found.sum(dim=2) == 0).sum(dim=1), (found.sum(dim=1) == 0).sum(dim=1)
    assert times.max() <= 10
    assert features.max() <= 4
    assert len(set(times.tolist())) > 2
    assert torch.equal(masked(frames, drawn(), spans=0, stripes=0), frames)
    assert torch.equal(masked(frames, drawn(3)), masked(frames, drawn(3)))


def test_short_noise_goes_round() -> None:
    """A noise shorter than the recording is repeated."""
    loud = Change(
        noise_share=1.0, noise_only_white=0.0, room_share=0.0, gain_db=(0.0, 0.0), snr_db=(0.0, 0.0)
    )
    noise = torch.randn(100, generator=drawn())
    added = changed(tones(300), [noise], loud, RATE, drawn()) - tones(300)
    torch.testing.assert_close(added[:, 100:200], added[:, 200:300], rtol=1e-3, atol=1e-6)
    assert power(added) > 0
