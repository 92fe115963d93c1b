"""How well real people are followed: figures that a change may not lower."""

from __future__ import annotations

from pathlib import Path

from pipeline.bundle import read_bundle
from pipeline.engines.onnx import OnnxEngine
from tests.pipeline.tracking.bundles import motion_bundle
from tests.shared import shared_path
from trainer.benchmarks.mot17 import START, first_halves, load_mot17
from trainer.tracking.judge import Judge

FLOORS = {"MOTA": 55.7, "IDF1": 53.8, "HOTA": 38.5}
MOST_SWITCHES = 24


def test_a_filter_that_has_learned_nothing_follows_a_real_crowd(tmp_path: Path) -> None:
    """MOT17-09's first half, the search's start; half a point of room for another arithmetic."""
    folder = shared_path("data", "tracking", "mot17", "MOT17-09")
    bundle = read_bundle(motion_bundle(tmp_path, "kalman"))
    judge = Judge(OnnxEngine(bundle), bundle.manifest)
    scores = judge.tally(first_halves(load_mot17(folder)), START).scores()
    assert {name: scores[name] for name in FLOORS if scores[name] < FLOORS[name]} == {}
    assert scores["IDs"] <= MOST_SWITCHES
