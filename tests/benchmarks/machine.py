"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tests.shared import REPOSITORY

PACKAGES = ("numpy", "onnxruntime", "confluent-kafka", "msgspec", "orjson")


def describe() -> dict[str, str]:
    """Processor, memory, system, versions, commit and date."""
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{_memory_gib():.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "packages": packages,
        "commit": commit(),
        "load": f"{os.getloadavg()[0]:.1f} processes in the minute before",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def commit() -> str:
    """The commit checked out, with a plus where files differ from it."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        return name + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where the system doesn't tell."""
    return 1024 * _status_kib(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    """The most resident memory a process ever had; 0 where the system doesn't tell."""
    return 1024 * _status_kib(pid, "VmHWM")


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, user and system; 0 where the system doesn't tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status_kib(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line for line in lines if line.startswith("model name")).partition(":")[2]
        return name.strip()
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(REPOSITORY), *arguments], capture_output=True, check=True, text=True
    )
    return done.stdout.strip()
