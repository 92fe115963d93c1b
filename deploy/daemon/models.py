"""Which files a pipeline's models are, to see whether a reload changes them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.bundle import read_model
from pipeline.config import PipelineConfig
from pipeline.errors import BundleError


def fingerprint(config: PipelineConfig, directory: Path) -> str:
    """Hashes of the pipeline's model files; of a description with those of what it describes."""
    gate = None if config.gate is None else config.gate.model
    names = (config.model, gate, config.detector.model, config.detector.reid)
    return ":".join("" if name is None else _hash(directory / name) for name in names)


def _hash(path: Path) -> str:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        return found + read_model(path).sha256 if path.suffix == ".toml" else found
    except (OSError, BundleError) as error:
        return str(error)  # whoever opens it will say so, too
