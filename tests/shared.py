"""Where the shared folder with data sets and a real Kafka broker lies, if this machine has it."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIRE = "STREAMCELL_REQUIRE_ALL"


def missing(reason: str) -> None:
    """Skip the test by name, or fail it where ``STREAMCELL_REQUIRE_ALL`` promises everything."""
    if os.environ.get(REQUIRE):
        pytest.fail(f"{reason} ({REQUIRE} is set)")
    pytest.skip(reason)


def installed(name: str) -> str:
    """The path of a program that came with this Python's packages, whatever PATH is."""
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.exists():
        missing(f"needs {name}, of the extra `dev`")
    return str(path)


def shared_path(*parts: str) -> Path:
    """A path in the shared folder; skips the test where it isn't there."""
    root = Path(os.environ.get("STREAMCELL_SHARED", REPOSITORY.parent / "shared"))
    path = root.joinpath(*parts)
    if not path.exists():
        missing(f"needs {'/'.join(parts)} of the shared folder; set STREAMCELL_SHARED")
    return path
