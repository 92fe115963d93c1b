"""Torch's exporter reads all of its operators' sources anew in every export: once is enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from torch.onnx._internal.exporter import _registration


@contextmanager
def operators_read_once() -> Iterator[None]:
    """A second and more of each export; what is read is the same, and nobody changes it."""
    read = staticmethod(cache(_registration.ONNXRegistry.from_torchlib))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_registration.ONNXRegistry, "from_torchlib", read)
        yield
