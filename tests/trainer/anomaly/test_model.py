"""The anomaly model and its packed state: a step at a time gives what the sequence gives."""

from __future__ import annotations

import numpy as np
import torch

from trainer.anomaly.model import AnomalyForecaster
from trainer.step_module import StepModule, pack, unpack

TOLERANCE = 1e-5


def close(got: object, wanted: object) -> None:
    """Within float32's accuracy."""
    torch.testing.assert_close(got, wanted, rtol=TOLERANCE, atol=TOLERANCE)


def shaken(module: torch.nn.Module, seed: int = 0) -> None:
    """Give every weight a random value, those that start at zero too."""
    generator = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=generator)


def forecaster(features: int = 3) -> AnomalyForecaster:
    """A forecaster with random weights and statistics."""
    model = AnomalyForecaster(features, hidden=8, layers=2, offset_rows=20)
    shaken(model)
    rng = np.random.default_rng(0)

    def some(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(0.5, 2.0, shape).astype(np.float32))

    model.set_normaliser(some(features), some(features))
    model.set_residuals(some(features, features), some(features) * 4.0)
    return model.eval()


def stepped(model: StepModule, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The model's y [B, T, K] and last state, one step after the other."""
    state, found = model.initial_state(len(rows)), []
    for at in range(rows.shape[1]):
        y, state = model.step(rows[:, at], state)
        found.append(y)
    return torch.stack(found, dim=1), state


def test_packing_is_inverse_to_unpacking() -> None:
    """Parts to a row and back."""
    parts = forecaster().state_parts
    row = torch.randn(4, sum(part.width for part in parts))
    close(pack(list(unpack(row, parts))), row)


def test_forecaster_steps_as_it_runs_whole() -> None:
    """Also through spikes that are clamped, and through the offset's change of pace."""
    model = forecaster()
    rows = torch.randn(4, 60, 3, generator=torch.Generator().manual_seed(2))
    rows[1, 30] = 1e4
    rows[2, 10:] += 50.0
    with torch.no_grad():
        whole, last = model(rows, model.initial_state(4))
        y, state = stepped(model, rows)
    close(y, whole)
    close(state, last)


def test_forecaster_goes_on_from_a_state() -> None:
    """Two halves of a sequence are the whole."""
    model = forecaster()
    rows = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        whole, last = model(rows, model.initial_state(2))
        first, state = model(rows[:, :17], model.initial_state(2))
        second, end = model(rows[:, 17:], state)
    close(torch.cat([first, second], dim=1), whole)
    close(end, last)


def test_first_row_is_no_surprise() -> None:
    """Its error and contributions are 0 and its forecast is itself."""
    model = forecaster()
    rows = torch.tensor([[3.0, -70.0, 1e6]])
    y, _ = model.step(rows, model.initial_state(1))
    assert y[0, :4].tolist() == [0.0] * 4
    assert y[0, 4:].tolist() == rows[0].tolist()


def test_error_is_the_largest_contribution() -> None:
    """And the contribution of the first feature grows with its residual."""
    model = forecaster()
    model.set_residuals(torch.eye(3), torch.full((3,), 4.0))
    rows = torch.zeros(1, 20, 3)
    rows[0, 19, 1] = -30.0
    with torch.no_grad():
        y, _ = model(rows, model.initial_state(1))
    error, contribution = y[0, :, 0], y[0, :, 1:4]
    close(error, contribution.abs().amax(dim=1))
    assert contribution[19].abs().argmax() == 1
    assert contribution[19, 1] < 0


def test_untrained_forecast_is_persistence() -> None:
    """Before any training the next row is expected to be like this one, in its own units."""
    model = AnomalyForecaster(2, 4, 1, offset_rows=100).eval()
    model.set_normaliser(torch.tensor([10.0, -3.0]), torch.tensor([2.0, 0.5]))
    rows = torch.randn(1, 10, 2, generator=torch.Generator().manual_seed(4)) + 9.0
    with torch.no_grad():
        y, _ = model(rows, model.initial_state(1))
    close(y[0, 1:, 3:], rows[0, :-1])


def test_shifted_stream_is_forecast_alike() -> None:
    """A machine that lies higher than those of the training has the same errors."""
    model = forecaster()
    rows = torch.randn(1, 50, 3, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        plain, _ = model(rows, model.initial_state(1))
        shifted, _ = model(rows + 40.0, model.initial_state(1))
    torch.testing.assert_close(shifted[:, :, 0], plain[:, :, 0], rtol=1e-3, atol=1e-3)


def test_absurd_reading_stays_finite() -> None:
    """So that it is reported as the anomaly it is, and the state survives it."""
    model = forecaster()
    rows = torch.zeros(1, 5, 3)
    rows[0, 2] = 1e30
    with torch.no_grad():
        y, state = model(rows, model.initial_state(1))
    assert torch.isfinite(y).all()
    assert torch.isfinite(state).all()


def test_step_does_not_mutate() -> None:
    """Neither the rows nor the state that it is given."""
    model = forecaster()
    x, state = torch.randn(3, 3), torch.randn(3, model.initial_state(1).shape[1]).abs()
    before = x.clone(), state.clone()
    model.step(x, state)
    torch.testing.assert_close((x, state), before, rtol=0, atol=0)
