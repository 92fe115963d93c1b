"""One model that learnt tones, for all who look at it."""

from __future__ import annotations

import pytest

from tests.trainer.speech.spoken import QUICK, corpus
from trainer.speech.words import Trained, fit


@pytest.fixture(scope="session")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trained on tones as words."""
    return fit(corpus(), QUICK, workdir=tmp_path_factory.mktemp("tones"))
