"""Certificates for brokers of tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.shared import missing


def self_signed(folder: Path, name: str) -> Path:
    """A certificate ``name.pem`` for loopback that is its own authority, with ``name.key``."""
    if shutil.which("openssl") is None:
        missing("needs openssl (Debian: apt install openssl)")
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN={name} -addext "
        f"subjectAltName=IP:127.0.0.1 -keyout {name}.key -out {name}.pem".split(),
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=30,
    )
    return folder / f"{name}.pem"
