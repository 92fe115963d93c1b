"""Whether a reload sees that a pipeline's models have changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.daemon.models import fingerprint
from pipeline.config import PipelineConfig

FILES = ("model.onnx", "vad.onnx", "people.onnx", "reid.onnx")
DESCRIBED = """
name = "vad"
model = "graph.onnx"
features = ["a"]
[input]
name = "x"
context = 1
[[output]]
name = "y"
"""


def config(model: str = "model.onnx") -> PipelineConfig:
    """A pipeline with all the models that there can be."""
    return PipelineConfig.model_validate(
        {
            "name": "one",
            "model": model,
            "gate": {"model": "vad.onnx"},
            "detector": {"kind": "onnx", "model": "people.onnx", "reid": "reid.onnx"},
            "source": {"type": "file", "path": "rows.jsonl"},
            "sink": {"type": "console"},
        }
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all the files."""
    for name in FILES:
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_another_content_changes_it(folder: Path, name: str) -> None:
    """Of each of the models; the same content once more does not."""
    before = fingerprint(config(), folder)
    (folder / name).write_bytes(name.encode())
    assert fingerprint(config(), folder) == before
    (folder / name).write_bytes(b"another")
    assert fingerprint(config(), folder) != before


def test_models_that_change_places_change_it(folder: Path) -> None:
    """The hashes stand in an order."""
    before = fingerprint(config(), folder)
    first, second = (folder / name for name in FILES[:2])
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert fingerprint(config(), folder) != before


def test_the_graph_of_a_description_counts_too(folder: Path) -> None:
    """And the description itself."""
    described, graph = folder / "model.toml", folder / "graph.onnx"
    described.write_text(DESCRIBED)
    graph.write_bytes(b"a graph")
    found = [fingerprint(config("model.toml"), folder)]
    graph.write_bytes(b"another graph")
    found.append(fingerprint(config("model.toml"), folder))
    described.write_text(DESCRIBED.replace('"vad"', '"voices"'))
    found.append(fingerprint(config("model.toml"), folder))
    assert len(set(found)) == 3


def test_a_file_that_is_gone_and_comes_back_changes_it(folder: Path) -> None:
    """Whoever opens it says what is wrong; here it only is another model."""
    before = fingerprint(config(), folder)
    (folder / "model.onnx").unlink()
    gone = fingerprint(config(), folder)
    assert gone != before
    (folder / "model.onnx").write_bytes(b"model.onnx")
    assert fingerprint(config(), folder) == before


def test_a_pipeline_may_have_one_model_only(folder: Path) -> None:
    """Without a gate, a detector's model and appearance vectors."""
    plain = config().model_dump(exclude={"gate", "detector"})
    assert fingerprint(PipelineConfig.model_validate(plain), folder).count(":") == 3
