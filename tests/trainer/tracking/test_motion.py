"""Motion models: where a steady walker goes, how unsure they are, step against sequence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from export.untrained_tracking import walks
from trainer.tracking.kalman import KalmanMotion
from trainer.tracking.lstm import LstmMotion
from trainer.tracking.motion import ConstantVelocity, Motion

RATE = 25.0


def random_lstm() -> LstmMotion:
    """An LSTM with weights that do something."""
    generator = torch.Generator().manual_seed(3)
    model = LstmMotion(8)
    for weight in [*model.lstm.parameters(), *model.to_push.parameters()]:
        torch.nn.init.normal_(weight, std=0.3, generator=generator)
    return model.eval()


MODELS: dict[str, Callable[[], Motion]] = {
    "constant velocity": ConstantVelocity,
    "Kalman": KalmanMotion,
    "LSTM at its start": lambda: LstmMotion(8),
    "LSTM": random_lstm,
}
SIMPLE = list(MODELS)[:3]


def steady(rows: int, *, blank: range = range(0), interval: float = 1 / RATE) -> Tensor:
    """Rows [1, T, 6] of somebody who walks 50 px/s to the right and 20 down."""
    at = np.arange(rows)[:, None] * interval
    box = np.array([100.0, 200.0, 40.0, 100.0]) + np.array([50.0, 20.0, 0.0, 0.0]) * at
    x = np.concatenate([box, np.ones((rows, 1)), np.full((rows, 1), interval)], axis=1)
    x[list(blank), :5] = 0.0
    return torch.from_numpy(x.astype(np.float32)).unsqueeze(0)


def run(model: Motion, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``box``, ``next`` and ``sd`` of every row, each [S, T, 4]."""
    with torch.no_grad():
        y, _ = model(x, model.initial_state(len(x)))
    box, ahead, sd = torch.split(y, 4, dim=2)
    return box, ahead, sd


@pytest.mark.parametrize("name", SIMPLE)
def test_a_steady_walker_is_foretold(name: str) -> None:
    """The next box comes to be the true one, and it goes on through a gap."""
    rows = steady(80, blank=range(60, 70))
    _, ahead, _ = run(MODELS[name](), rows)
    truth = steady(81)[0, 1:, :4]
    assert (ahead[0, 40:] - truth[40:]).abs().max() < 1.0


@pytest.mark.parametrize("name", SIMPLE)
def test_uncertainty_shrinks_settles_and_grows_unseen(name: str) -> None:
    """More boxes make it surer, none less sure, and a new box makes it sure again."""
    _, _, sd = run(MODELS[name](), steady(80, blank=range(60, 70)))
    of_x = sd[0, :, 0]
    assert of_x[30] < of_x[0]
    assert abs(of_x[59] - of_x[50]) < 0.02 * of_x[59]
    assert (of_x[60:70].diff() > 0).all()
    assert of_x[69] > 1.5 * of_x[59]
    assert of_x[75] < 1.2 * of_x[59]


@pytest.mark.parametrize("name", MODELS)
def test_steps_agree_with_the_sequence(name: str) -> None:
    """And a batch with its rows alone."""
    model, x = MODELS[name](), torch.from_numpy(walks())
    with torch.no_grad():
        whole, last = model(x, model.initial_state(len(x)))
        for one in range(len(x)):
            state, outputs = model.initial_state(1), []
            for row in x[one]:
                y, state = model.step(row[None], state)
                outputs.append(y[0])
            torch.testing.assert_close(torch.stack(outputs), whole[one], rtol=1e-4, atol=1e-3)
            torch.testing.assert_close(state[0], last[one], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_twice_as_large_is_the_same_twice_as_large(name: str) -> None:
    """Nothing depends on how many pixels the picture has, nor on where in it somebody is."""
    model, x = MODELS[name](), torch.from_numpy(walks())
    larger, moved = x.clone(), x.clone()
    larger[..., :4] *= 2.0
    moved[..., :1] += 300.0 * x[..., 4:5]
    for plain, double in zip(run(model, x), run(model, larger), strict=True):
        torch.testing.assert_close(2.0 * plain, double, rtol=1e-3, atol=0.1)
    there = torch.tensor([300.0, 0.0, 0.0, 0.0])
    box, ahead, _ = run(model, moved)
    torch.testing.assert_close(run(model, x)[0] + there, box, rtol=1e-3, atol=0.1)
    torch.testing.assert_close(run(model, x)[1] + there, ahead, rtol=1e-3, atol=0.1)


@pytest.mark.parametrize("name", SIMPLE)
def test_velocity_is_by_the_second(name: str) -> None:
    """When every second frame is dropped, what is foretold is one such interval away."""
    model = MODELS[name]()
    half = steady(60, interval=2 / RATE)
    _, ahead, _ = run(model, half)
    assert (ahead[0, 50, :2] - steady(61, interval=2 / RATE)[0, 51, :2]).abs().max() < 0.5


@pytest.mark.parametrize("name", MODELS)
def test_long_unseen_stays_a_box(name: str) -> None:
    """After a minute without a box everything is finite, and the size is one."""
    x = steady(300, blank=range(5, 300), interval=0.2)
    x[:, 4, 2:4] *= 0.3  # the last box seen looks as if it shrank quickly
    for part in run(MODELS[name](), x):
        assert part.isfinite().all()
        assert (part[..., 2:] > 0).all()


def test_an_untrained_lstm_is_its_kalman_filter() -> None:
    """So training starts from constant velocity."""
    x = torch.from_numpy(walks())
    for lstm, kalman in zip(run(LstmMotion(8), x), run(KalmanMotion(), x), strict=True):
        torch.testing.assert_close(lstm, kalman)
