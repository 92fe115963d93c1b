"""One trained model for all tests that only look at it."""

from __future__ import annotations

import pytest

from tests.trainer.anomaly.made import QUICK, machine
from trainer.anomaly import Trained, fit


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trained on two series of the made-up machine."""
    return fit(
        [machine(), machine(700, seed=1, name="other")],
        QUICK,
        workdir=tmp_path_factory.mktemp("work"),
    )
