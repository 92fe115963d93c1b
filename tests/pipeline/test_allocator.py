"""Memory that was freed leaves the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import resource, sys
from pipeline.allocator import give_back

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

small = [bytes(1000) for _ in range(100_000)]
last = bytes(1000)  # above the others on the heap, which therefore can't shrink by itself
del small
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the call")
def test_freed_memory_goes_back() -> None:
    """A hundred thousand small pieces below one that stays."""
    run = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(run.stdout) > 50_000_000
