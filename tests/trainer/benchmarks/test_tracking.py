"""``streamcell evaluate tracking``: made-up videos from the command line to the report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.commands.evaluate import app
from pipeline.bundle import read_bundle
from pipeline.errors import ConfigError, DataError
from pipeline.tracking.params import TrackingParams
from tests.pipeline.tracking.bundles import motion_bundle
from tests.trainer.tracking.others import write_others
from tests.trainer.tracking.videos import detect, walk, write_rows, write_videos
from trainer.benchmarks import mot17
from trainer.tracking.tune import tune

SMALL = {"weak": (0.4, 0.5), "min_hits": (1, 3), "max_misses": (5,)}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A motion model that has learned nothing."""
    return motion_bundle(tmp_path, "constant_velocity")


def evaluate(*arguments: str | Path) -> str:
    """Run the command in this process; its output, or the error it ended with."""
    words = ["tracking", *map(str, arguments)]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    if result.exception is not None:
        raise result.exception
    return result.output


def report(out: Path) -> dict[str, Any]:
    """What the run wrote for programs."""
    found: dict[str, Any] = json.loads((out / "report.json").read_text())
    return found


def test_ones_own_videos_end_to_end(tmp_path: Path, bundle: Path) -> None:
    """All frames of both are scored with the bundle's own parameters; tracks are in files."""
    data, out = write_videos(tmp_path / "videos"), tmp_path / "out"
    shown = evaluate("--data", data, "--model", bundle, "--out", out)
    assert "streamcell constant_velocity" in shown
    found = report(out)
    figures = found["details"]["streamcell constant_velocity own"]
    assert figures["GT"] == 40 * 5
    assert figures["MOTA"] > 50
    assert figures["FPS"] > 0
    assert "verdict" not in found
    assert "80 frames" in found["summary"]
    names = sorted(path.name for path in (out / "tracks").iterdir())
    assert names == [f"streamcell constant_velocity-MADE-0{n}.txt" for n in (1, 2)]
    assert str(bundle) in found["command"]


def test_the_benchmark_scores_second_halves_by_the_floors(tmp_path: Path, bundle: Path) -> None:
    """Tracks begin with the first scored frame; one sequence alone is held to no floor."""
    data, out = write_videos(tmp_path / "videos"), tmp_path / "out"
    mot = ("--benchmark", "mot17", "--data", data, "--model", bundle, "--out", out)
    evaluate(*mot)
    found = report(out)
    assert found["details"]["streamcell constant_velocity own"]["GT"] == 20 * 5
    assert "floor" in found["verdict"]["text"]
    track = (out / "tracks" / "streamcell constant_velocity-MADE-01.txt").read_text().splitlines()
    assert min(int(line.partition(",")[0]) for line in track) > 20
    evaluate(*mot, "--only", "MADE-02")
    found = report(out)
    assert found["details"]["streamcell constant_velocity own"]["GT"] == 20 * 2
    assert "verdict" not in found


def test_others_and_the_official_script_of_the_same_run(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Python runs them, default and tuned; a script scores every result file."""
    monkeypatch.setenv("PYTHONPATH", str(write_others(tmp_path)))
    data, out = write_videos(tmp_path / "videos"), tmp_path / "out"
    script = tmp_path / "official.py"
    script.write_text(
        "import json, sys\n"
        "gt, result, frames, also, *rest = sys.argv[1:]\n"
        "assert frames == '21-40' and also == '--also' and gt.endswith('gt.txt.gz')\n"
        "lines = len(open(result).readlines())\n"
        "names = ('MOTA', 'IDF1', 'IDs', 'HOTA', 'DetA', 'AssA', 'FP', 'FN', 'GT')\n"
        "print(json.dumps({name: lines for name in names}))\n"
    )
    evaluate(
        *("--benchmark", "mot17", "--data", data, "--model", bundle, "--out", out),
        *("--rivals", sys.executable, "--official", script),
    )
    found = report(out)
    rows = [tuple(row[:2]) for row in found["tables"][0]["rows"]]
    assert rows[0] == ("streamcell constant_velocity", "own")
    assert ("norfair", "tuned") in rows
    assert len(rows) == 1 + 2 * 6
    assert found["versions"]["trackers"] == "9.9"
    details = found["details"]
    assert details["norfair default"]["MOTA"] > details["norfair tuned"]["MOTA"] > 0
    assert details["SORT default"]["MOTA"] > details["OC-SORT tuned"]["MOTA"] > 0
    script.write_text("raise SystemExit('no such metric')")
    with pytest.raises(DataError, match=r"official\.py failed: no such metric"):
        evaluate("--data", data, "--model", bundle, "--out", out, "--official", script)
    with pytest.raises(DataError, match="no-python: can't be run"):
        evaluate(
            "--data", data, "--model", bundle, "--out", out, "--rivals", tmp_path / "no-python"
        )


def test_others_that_are_too_old_are_told_before_anything_runs(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what they lack, with the versions that have it; nothing has been written then."""
    others = write_others(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(others))
    old = (others / "trackers.py").read_text().replace("OCSORTTracker =", "")
    (others / "trackers.py").write_text(old)
    data, out = write_videos(tmp_path / "videos"), tmp_path / "out"
    given = ("--data", data, "--model", bundle, "--out", out, "--rivals", sys.executable)
    with pytest.raises(DataError, match=r"OCSORTTracker.*trackers 2\.6\.1 and norfair 2\.3\.0"):
        evaluate(*given)
    assert not out.exists()


def test_parameters_are_chosen_on_first_halves_and_written(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new bundle is the old one with other parameters; second halves are not looked at."""
    monkeypatch.setattr(mot17, "GRID", SMALL)
    data, out = write_videos(tmp_path / "videos"), tmp_path / "out"
    for number in (1, 2):  # what comes after the first half can't be read as boxes of anybody
        truth = walk(40, 3, number)
        truth[truth[:, 0] > 20, 2:6] = 1.0
        write_rows(data / f"MADE-0{number}" / "gt.txt.gz", truth)
    evaluate("--benchmark", "mot17", "--data", data, "--model", bundle, "--out", out, "--tune")
    found = report(out)
    assert found["tables"][0]["rows"][0][1] > 60
    before, after = read_bundle(bundle).manifest, read_bundle(out / bundle.name).manifest
    assert after.head == found["details"]["constant_velocity"] != before.head
    assert after.fingerprint == before.fingerprint
    assert after.model_copy(update={"head": {}}) == before.model_copy(update={"head": {}})


def test_the_search_keeps_what_is_best_and_judges_nothing_twice() -> None:
    """Parameters that contradict each other are left out."""
    judged = []

    def judge(params: TrackingParams) -> float:
        judged.append((params.weak, params.confident, params.min_hits))
        return -abs(params.weak - 0.4) - abs(params.min_hits - 2)

    grid = {"min_hits": (1, 2, 4), "weak": (0.2, 0.4, 0.9)}
    found = tune(judge, TrackingParams(), grid, rounds=3)
    assert (found.params.weak, found.params.min_hits) == (0.4, 2)
    assert found.value == 0
    assert len(judged) == len(set(judged)) == found.trials
    assert all(weak <= confident for weak, confident, _ in judged)


def test_pets_is_scored_on_its_frames(tmp_path: Path, bundle: Path) -> None:
    """100 frames from 401 on, scores as they are; a folder without its files is told."""
    folder, out = tmp_path / "pets", tmp_path / "out"
    folder.mkdir()
    with pytest.raises(DataError, match="gt_frames_001-500"):
        mot17.load_pets(folder)
    truth = walk(500, 1, 1)
    truth[:, 2] = 20 + truth[:, 0] % 300
    write_rows(folder / "gt_frames_001-500.txt", truth[truth[:, 1] < 90][:, :7])
    found = detect(truth, 1)
    found[:, 6] = 0.9
    write_rows(folder / "det_fasterrcnn.txt", found)
    evaluate("--benchmark", "pets", "--data", folder, "--model", bundle, "--out", out)
    assert report(out)["details"]["streamcell constant_velocity own"]["GT"] == 100


def test_mistakes_are_told_before_anything_runs(tmp_path: Path, bundle: Path) -> None:
    """Unknown names, no detections, choosing and scoring at once."""
    data, out = write_videos(tmp_path / "videos"), tmp_path / "out"
    given = ("--data", data, "--model", bundle, "--out", out)
    with pytest.raises(ConfigError, match="no sequence 'MADE-9'; there are MADE-01, MADE-02"):
        evaluate(*given, "--only", "MADE-9")
    with pytest.raises(ConfigError, match="no sequence is left"):
        evaluate(*given, "--without", "MADE-01,MADE-02")
    with pytest.raises(ConfigError, match="scores nothing"):
        evaluate(*given, "--tune", "--rivals", sys.executable)
    (data / "MADE-01" / "seqinfo.ini").write_text("[Sequence]\nframeRate=many\n")
    with pytest.raises(DataError, match=r"seqinfo\.ini: can't be read"):
        evaluate(*given)
    (data / "MADE-01" / "seqinfo.ini").unlink()
    (data / "MADE-01" / "det_dpm.txt.gz").unlink()
    with pytest.raises(DataError, match="no detections"):
        evaluate(*given)
