"""The speech task's bundles: words and keywords."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from export.write import TOLERANCE, Description, write_bundle
from pipeline.block import Float32
from pipeline.manifest import Audio, Feature, Manifest
from trainer.speech.model import SpeechModel


class Trained(Protocol):
    """What the trainers of words and of keywords give back.

    ``sample [S, N, F]`` are chunks of training recordings, for the parity gate. Without ``audio``
    rows are features, of which ``columns`` are the names.
    """

    @property
    def model(self) -> SpeechModel:
        """The trained model."""
        ...

    @property
    def config(self) -> BaseModel:
        """The options of the training."""
        ...

    @property
    def audio(self) -> Audio | None:
        """The rate and chunk of the sound that goes in."""
        ...

    @property
    def columns(self) -> tuple[Feature, ...]:
        """What a row has."""
        ...

    @property
    def head(self) -> dict[str, Any]:
        """The head's parameters."""
        ...

    @property
    def sample(self) -> Float32:
        """Rows [S, N, F] of S streams."""
        ...

    @property
    def data_hash(self) -> str:
        """Names the training data."""
        ...

    @property
    def metrics(self) -> dict[str, float]:
        """What the training found."""
        ...


def export_speech(
    trained: Trained, path: Path, *, name: str, tolerance: float = TOLERANCE
) -> Manifest:
    """Write ``trained`` to ``path`` under ``name``; raises what ``write_bundle`` raises."""
    description = Description(
        name=name,
        task="speech",
        features=trained.columns,
        audio=trained.audio,
        head=trained.head,
        training={"data_hash": trained.data_hash, "config": trained.config.model_dump()},
        metrics=trained.metrics,
    )
    return write_bundle(trained.model, description, trained.sample, path, tolerance)
