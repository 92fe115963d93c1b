"""Which files a pipeline's models are, to see whether a reload changes them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.assemble_model import open_model
from pipeline.bundle import read_model
from pipeline.config import PipelineConfig


def fingerprint(config: PipelineConfig, directory: Path) -> str:
    """Hashes of the pipeline's models; raises BundleError, or ConfigError where one is unfit."""
    model = open_model(config, directory)
    found = [model.bundle.sha256]
    if config.gate is not None:
        found.append(read_model(directory / config.gate.model).sha256)
    others = (config.detector.model, config.detector.reid)
    paths = [directory / name for name in others if name is not None]
    found += [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()]
    return ":".join(found)
