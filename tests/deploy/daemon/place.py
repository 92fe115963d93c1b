"""Pipelines of files in a folder: each follows its rows, scores go beside them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import orjson

from pipeline.config import PipelineConfig, load_config
from tests.pipeline.bundles import anomaly_bundle

PATIENCE_S = 30.0
PIPELINE = """
[[pipeline]]
name = "{name}"
model = "{name}.onnx"
commit_every_ms = 20
{more}
[pipeline.source]
type = "file"
path = "{name}.jsonl"
stream_field = "machine"
follow = {follow}
[pipeline.sink]
type = "file"
path = "{name}.scores"
"""
REST = '[http]\nport = 0\n[log]\nformat = "json"\n'


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


class Place:
    """A folder with a configuration; every pipeline has a bundle, unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "pipelines.toml"

    def configure(
        self, *names: str, more: dict[str, str] | None = None, follow: bool = True
    ) -> list[PipelineConfig]:
        """Write a configuration of these pipelines; ``more`` has keys for some of them."""
        tables = []
        for name in names:
            added = (more or {}).get(name, "")
            tables.append(PIPELINE.format(name=name, more=added, follow=str(follow).lower()))
            (self.folder / f"{name}.jsonl").touch()
        self.file.write_text("".join(tables) + REST)
        return load_config(self.file).pipeline

    def bundle(self, name: str) -> None:
        """Put the pipeline's model in place."""
        anomaly_bundle(self.folder / f"{name}.onnx")

    def add(self, name: str, rows: int) -> None:
        """Add rows of one machine."""
        with (self.folder / f"{name}.jsonl").open("ab") as file:
            for at in range(rows):
                file.write(orjson.dumps({"machine": "m", "a": float(at), "b": 0.0}) + b"\n")

    def scores(self, name: str) -> list[str]:
        """Identities of what came out so far."""
        path = self.folder / f"{name}.scores"
        lines = path.read_bytes().splitlines() if path.exists() else []
        found = [orjson.loads(line) for line in lines]
        return [one["id"] for one in found if one["type"] == "score"]

    def wait(self, name: str, count: int) -> None:
        """Until so many scores are out."""
        until(lambda: len(self.scores(name)) >= count, f"{count} scores of {name}")
