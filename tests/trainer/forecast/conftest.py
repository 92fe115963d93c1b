"""One trained model for all tests that only look at it."""

from __future__ import annotations

import pytest

from tests.trainer.forecast.made import QUICK, plant
from trainer.forecast import Trained, fit


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trained on two series of the made-up plant, with missing values."""
    return fit(
        [plant(missing=0.1), plant(700, seed=1, name="other", jitter=0.05)],
        QUICK,
        workdir=tmp_path_factory.mktemp("work"),
    )
