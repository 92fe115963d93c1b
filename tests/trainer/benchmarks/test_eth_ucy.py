"""ETH/UCY: its windows, its folds, its baselines, the model, and the command."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from deploy.commands.evaluate import app
from pipeline.block import Float32
from pipeline.errors import DataError
from tests.shared import shared_path
from trainer.benchmarks import eth_ucy
from trainer.benchmarks.eth_ucy_model import TrajectoryConfig, TrajectoryLstm, error, learn
from trainer.benchmarks.eth_ucy_report import CONSTANT, FIT, LSTM, report
from trainer.fit import Silent

QUICK = TrajectoryConfig(hidden=4, epochs=2, windows=64, batch=32)


def ways(count: int, bend: float = 0.0, seed: int = 0) -> Float32:
    """Windows [N, 20, 2] of people who turn by ``bend`` radians a step."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0, 2 * np.pi, (count, 1)) + bend * np.arange(20)
    steps = 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=2)
    return (steps.cumsum(axis=1) + rng.uniform(0, 9, (count, 1, 2))).astype(np.float32)


def write(folder: Path, *, people: int = 4) -> Path:
    """All files, in each of which people walk 24 steps; frames are numbered by tens."""
    folder.mkdir(parents=True)
    for at, name in enumerate(eth_ucy.PLACES):
        rng = np.random.default_rng(at)
        lines = []
        for person in range(people):
            velocity = rng.normal(0, 0.4, 2)
            for step in range(24):
                x, y = velocity * step + rng.normal(0, 0.02, 2)
                lines.append(f"{780 + 10 * step}\t{person}.0\t{x:.3f}\t{y:.3f}")
        (folder / f"{name}.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


def test_windows_are_twenty_steps_in_a_row(tmp_path: Path) -> None:
    """One begins at every step; none spans a gap."""
    folder = write(tmp_path / "all")
    path = folder / "biwi_eth.txt.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.write_bytes(gzip.compress("\n".join(lines[:10] + lines[11:]).encode()))
    loaded = eth_ucy.load(folder)
    assert loaded["biwi_hotel"].shape == (4 * 5, 20, 2)
    assert len(loaded["biwi_eth"]) == 3 * 5


def test_a_fold_trains_without_its_scene(tmp_path: Path) -> None:
    """And is judged by it alone."""
    loaded = eth_ucy.load(write(tmp_path / "all"))
    training, test = eth_ucy.fold(loaded, "univ")
    assert set(training) == set(eth_ucy.PLACES) - {"students001", "students003"}
    assert len(test) == len(loaded["students001"]) + len(loaded["students003"])


def test_the_baselines_are_exact_on_straight_ways() -> None:
    """And not on bent ones."""
    for predictor in (eth_ucy.constant_velocity, eth_ucy.linear_fit):
        assert eth_ucy.errors(predictor, ways(10)).fde < 1e-4
        bent = eth_ucy.errors(predictor, ways(10, bend=0.1))
        assert 0.1 < bent.ade < bent.fde


def test_an_untrained_model_is_constant_velocity() -> None:
    """Also for people who stand, or who come back to where they were."""
    windows = ways(10, bend=0.1)
    windows[0] = 3.0
    windows[1, 7] = windows[1, 0]
    seen = windows[:, :8]
    with torch.no_grad():
        ahead = TrajectoryLstm(8)(torch.from_numpy(seen)).numpy()
    np.testing.assert_allclose(ahead, eth_ucy.constant_velocity(seen), atol=1e-4)


def test_the_model_turns_with_its_ways() -> None:
    """It knows nothing of the scene's axes."""
    torch.manual_seed(0)
    model = TrajectoryLstm(8)
    torch.nn.init.normal_(model.to_steps.weight, std=0.3)
    seen = torch.from_numpy(ways(10, bend=0.1)[:, :8])
    turn = torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    with torch.no_grad():
        torch.testing.assert_close(model(seen) @ turn, model(seen @ turn), atol=1e-4, rtol=1e-4)


def test_it_learns_a_bend() -> None:
    """What people of three places do is known in the fourth; twice the same."""
    training = {
        name: ways(200, bend=0.1, seed=at)
        for at, name in enumerate(("biwi_hotel", "students001", "crowds_zara01"))
    }
    config = TrajectoryConfig(hidden=8, epochs=4, windows=1024, batch=64, learning_rate=1e-2)
    learnt = learn(training, config, Silent())
    assert len(learnt.models) == 3
    test = ways(50, bend=0.1, seed=9)
    found = eth_ucy.errors(learnt.predictor(), test)
    assert found.ade < 0.7 * eth_ucy.errors(eth_ucy.constant_velocity, test).ade
    again = learn(training, config, Silent())
    assert eth_ucy.errors(again.predictor(), test) == found


def test_what_harms_another_place_is_not_used() -> None:
    """Two places that bend to opposite sides: constant velocity is left as it is, or nearly."""
    training = {"biwi_eth": ways(100, bend=0.15), "biwi_hotel": ways(100)}
    learnt = learn(training, QUICK.model_copy(update={"epochs": 4}), Silent())
    straight = next(model for model in learnt.models if float(model.share) < 1.0)
    with torch.no_grad():
        assert float(error(straight, torch.from_numpy(ways(50)))) < 0.2


def test_one_place_is_not_enough() -> None:
    """Another has to stop the training."""
    with pytest.raises(DataError, match="two places"):
        learn({"biwi_eth": ways(30)}, QUICK, Silent())


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """The error names the file."""
    folder = write(tmp_path / "all")
    (folder / "biwi_hotel.txt.gz").write_bytes(gzip.compress(b"1 2 x 4\n"))
    with pytest.raises(DataError, match="biwi_hotel"):
        eth_ucy.load(folder)
    (folder / "biwi_hotel.txt.gz").write_bytes(gzip.compress(b"10 1 2.0 4.0\n20 1 2.0 4.0\n"))
    with pytest.raises(DataError, match="biwi_hotel: nobody"):
        eth_ucy.load(folder)
    (folder / "biwi_hotel.txt.gz").unlink()
    with pytest.raises(DataError, match=r"no biwi_hotel\.txt"):
        eth_ucy.load(folder)


def test_the_verdict_names_where_it_is_above() -> None:
    """By either error."""
    good, bad = eth_ucy.Errors(0.5, 1.0), eth_ucy.Errors(0.4, 1.1)
    runs = {"eth": {LSTM: [bad, bad], CONSTANT: [good], FIT: [good]}}
    made = report(runs, {"eth": 3}, [1.0])
    assert not made["verdict"]["good"]
    assert "above it in eth" in made["verdict"]["text"]
    assert report({"eth": {LSTM: [good], CONSTANT: [good], FIT: [bad]}}, {"eth": 3}, [1.0])[
        "verdict"
    ]["good"]


def test_the_command(tmp_path: Path) -> None:
    """It writes the report and shows its table."""
    arguments = ["--data", write(tmp_path / "all"), "--out", tmp_path / "out", "--seeds", 1]
    for each in ("epochs=1", "windows=32", "batch=16", "hidden=4"):
        arguments += ["--set", each]
    found = CliRunner().invoke(app, ["trajectories", *map(str, arguments)])
    assert found.exit_code == 0, found.output
    made = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert [row[0] for row in made["tables"][0]["rows"]] == [*eth_ucy.SCENES, "mean"]
    assert "zara1" in found.output
    assert (tmp_path / "out" / "report.html").exists()


def test_constant_velocity_on_the_real_files() -> None:
    """Windows and errors agree with a separate count of all windows of 20 steps."""
    loaded = eth_ucy.load(shared_path("data", "tracking", "eth_ucy"))
    wanted = {"eth": (364, 1.075, 2.282), "hotel": (1197, 0.319, 0.614)}
    wanted |= {"univ": (24_334, 0.524, 1.165), "zara1": (2356, 0.427, 0.952)}
    for scene, (count, ade, fde) in wanted.items():
        _, test = eth_ucy.fold(loaded, scene)
        found = eth_ucy.errors(eth_ucy.constant_velocity, test)
        assert (len(test), round(found.ade, 3), round(found.fde, 3)) == (count, ade, fde)
