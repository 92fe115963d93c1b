"""Somebody else's voice activity detector, described in a TOML, and what its own code makes of it.

The detector (silero-vad 6.2.3, MIT) has an LSTM inside; it is installed for the tests alone.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pipeline.block import Float32

TOML = """\
name = "silero-vad"
model = "{model}"

[audio]
sample_rate_hz = 16000
chunk = 512

[input]
name = "input"
context = 64

[[state]]
input = "state"
output = "stateN"
shape = [2, 128]
batch_axis = 1

[[constant]]
input = "sr"
value = 16000
dtype = "int64"

[[output]]
name = "output"
called = "speech"
"""


def model_path() -> Path:
    """The detector's file; skips the test where the package is missing."""
    found = importlib.util.find_spec("silero_vad")
    if found is None or found.origin is None:
        pytest.skip("silero-vad is not installed")
    return Path(found.origin).parent / "data" / "silero_vad.onnx"


def describe(folder: Path) -> Path:
    """Write the description into ``folder``; gives its path."""
    path = folder / "silero.toml"
    path.write_text(TOML.format(model=model_path()))
    return path


def own_answers(chunks: Float32) -> list[float]:
    """What the package's own wrapper says of one stream's chunks [T, 512]."""
    import torch
    from silero_vad.utils_vad import OnnxWrapper

    wrapper = OnnxWrapper(str(model_path()), force_onnx_cpu=True)
    return [float(wrapper(torch.from_numpy(chunk), 16000)) for chunk in chunks]
