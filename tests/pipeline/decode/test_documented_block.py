"""The worked example of docs/formats.md: its bytes are a block, made by ``struct`` alone."""

from __future__ import annotations

import re
import struct

import numpy as np

from pipeline.decode.block_format import decode_block, encode_block, key_list
from tests.shared import REPOSITORY

TIMES = [1_700_000_000_000_000, 1_700_000_000_000_000, 1_700_000_001_000_000]
VALUES = [20.5, 1.0, 71.25, 4.0, 71.5, 4.25]


def documented() -> bytes:
    """The bytes of the page's dump."""
    page = (REPOSITORY / "docs" / "formats.md").read_text()
    (dump,) = re.findall(r"```text\n(  0  .*?)```", page, re.DOTALL)
    return b"".join(bytes.fromhex(line[5:28]) for line in dump.splitlines())


def test_the_example_is_what_the_layout_says() -> None:
    """A producer that knows only the page writes the same bytes."""
    made = struct.pack("<4sHHIIIIIiQ", b"SCB1", 1, 0, 3, 2, 2, 9, 0, 0, 128)
    made += struct.pack("<HH4x", 4, 5) + b"millpress".ljust(16, b"\0")
    made += struct.pack("<III4x", 0, 1, 1) + struct.pack("<3q", *TIMES)
    made += struct.pack("<6f", *VALUES)
    assert made == documented()


def test_the_example_is_read_and_written() -> None:
    """It decodes to its rows, and encoding them gives it back."""
    block = decode_block(documented())
    assert key_list(block) == [b"mill", b"press"]
    assert block.stream.tolist() == [0, 1, 1]
    assert block.times is not None
    assert block.times.tolist() == TIMES
    assert block.values.ravel().tolist() == VALUES
    values = np.array(VALUES, np.float32).reshape(3, 2)
    assert encode_block([b"mill", b"press"], [0, 1, 1], values, TIMES) == documented()
