"""The rule files, and Prometheus's own checker for them."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.shared import REPOSITORY, missing

FOLDER = REPOSITORY / "deploy" / "prometheus"
RULES = (FOLDER / "rules" / "recording.yml", FOLDER / "rules" / "alerts.yml")

Rule = dict[str, Any]


def program(name: str) -> str:
    """The path of ``prometheus`` or ``promtool``; skips the test where it isn't there."""
    found = shutil.which(name)
    if found is None:
        missing(f"needs {name} (Debian: prometheus)")
    return str(found)


def promtool(*arguments: str, told: str = "") -> tuple[int, str]:
    """Its exit code and all that it said."""
    done = subprocess.run(
        [program("promtool"), *arguments],
        input=told,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def read(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, in the order of the files."""
    return tuple(
        rule for path in RULES for group in read(path)["groups"] for rule in group["rules"]
    )


def alerts() -> list[Rule]:
    """The alert rules."""
    return [rule for rule in rules() if "alert" in rule]


def alert(name: str) -> Rule:
    """The alert of this name."""
    (found,) = [rule for rule in alerts() if rule["alert"] == name]
    return found
