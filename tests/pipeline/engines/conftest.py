"""Fixtures of the engine contract: each engine with each bundle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from pipeline.engines.base import Engine
from pipeline.errors import EngineError
from tests.pipeline.engines.cases import ENGINES, MODELS, NEED_GPU, Model, make_model


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Torch's threads wait for each other longer than they work on rows this few."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", params=list(MODELS))
def model_name(request: pytest.FixtureRequest) -> str:
    """Each bundle of the list."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def model(model_name: str) -> Model:
    """Each bundle with its rows, made once."""
    return make_model(model_name)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(name, marks=pytest.mark.gpu if name in NEED_GPU else ()) for name in ENGINES
    ],
)
def engine_name(request: pytest.FixtureRequest) -> str:
    """Each engine of the list."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def engine(engine_name: str, model: Model) -> Iterator[Engine]:
    """Each engine with each bundle; those that need a GPU are skipped by name without one."""
    try:
        made = ENGINES[engine_name](model.bundle)
    except EngineError as error:
        if engine_name not in NEED_GPU:
            raise
        pytest.skip(f"{engine_name} can't run here: {error}")
    yield made
    made.close()
