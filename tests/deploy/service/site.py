"""A configuration to install, and the device that it is installed on."""

from __future__ import annotations

from pathlib import Path

from tests.pipeline.bundles import anomaly_bundle

CONFIG = """
[[pipeline]]
name = "pumps"
model = "models/pumps.onnx"
source = {{ type = "file", path = "{rows}", follow = true }}
sink = {{ type = "file", path = "state/out.jsonl" }}
[http]
port = 0
[log]
format = "json"
"""
ROW = '{"stream": "p1", "a": 1.0, "b": 2.0}\n'


def made_site(folder: Path, rows: Path, more: str = "") -> Path:
    """A configuration with its bundle in ``folder``, which reads ``rows``."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    anomaly_bundle(folder / "models/pumps.onnx")
    file = folder / "pumps.toml"
    file.write_text(CONFIG.format(rows=rows) + more)
    return file


def tree(folder: Path) -> dict[str, str]:
    """All files and links below a folder: the first words of the files, the links' targets."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()[:40].decode(errors="replace")
    return found
