"""Dockerfiles and the compose file, taken apart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.shared import REPOSITORY

DOCKER = REPOSITORY / "docker"
DOCKERFILES = sorted(path.name for path in DOCKER.glob("*.Dockerfile"))
COMPOSE = DOCKER / "compose.yaml"


@dataclass(frozen=True)
class Dockerfile:
    """One Dockerfile; ``steps`` are its instructions with their arguments, on one line each."""

    text: str

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Instruction and argument, comments and line ends taken out."""
        lines = [line for line in self.text.splitlines() if not line.lstrip().startswith("#")]
        joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
        pairs = [line.partition(" ") for line in joined.splitlines() if line.strip()]
        return [(word, rest.strip()) for word, _, rest in pairs]

    def all(self, word: str) -> list[str]:
        """The arguments of every such instruction."""
        return [rest for found, rest in self.steps if found == word]

    @property
    def arguments(self) -> dict[str, str]:
        """The build's arguments with their defaults."""
        pairs = [rest.partition("=") for rest in self.all("ARG")]
        return {name: value.strip('"') for name, _, value in pairs}

    @property
    def sources(self) -> list[str]:
        """What is copied out of the repository."""
        copies = [rest for rest in self.all("COPY") if not rest.startswith("--from")]
        return [source for rest in copies for source in rest.split()[:-1]]

    @property
    def command(self) -> list[str]:
        """What a container runs by default."""
        parts: list[str] = json.loads(self.all("ENTRYPOINT")[-1]) + json.loads(self.all("CMD")[-1])
        return parts

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return dict(re.findall(r'(\S+)="([^"]*)"', " ".join(self.all("LABEL"))))

    def install(self, venv: Path, **changes: str) -> str:
        """The shell command that installs, into ``venv`` and with the arguments' defaults."""
        (run,) = [rest for rest in self.all("RUN") if " install -c " in rest]
        run = re.sub(r"--mount=\S+ ", "", run).replace("/opt/streamcell", str(venv))
        for name, value in (self.arguments | changes).items():
            run = run.replace(f"${{{name}}}", value)
        assert "${" not in run, run
        return run


def dockerfile(name: str) -> Dockerfile:
    """One of the repository's."""
    return Dockerfile((DOCKER / name).read_text(encoding="utf-8"))


def compose() -> dict[str, Any]:
    """The compose file, its anchors resolved."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded
