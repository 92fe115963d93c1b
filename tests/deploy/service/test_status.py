"""What ``streamcell service status`` tells, of a process that serves and of one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.service import manager, probe
from deploy.service.probe import address, ask, figures, http_of
from pipeline.config import HttpConfig
from pipeline.errors import StreamcellError
from pipeline.metrics import Metrics
from pipeline.monitor.health import Health
from pipeline.monitor.members import Condition, Member
from pipeline.monitor.process_metrics import PipelineStates
from pipeline.monitor.server import Monitor
from tests.brokers import free_port


class Plant:
    """Two pipelines behind one address; ``waiting`` keeps the second from being ready."""

    def __init__(self) -> None:
        self.waiting: tuple[str, ...] = ()
        self.metrics = {name: Metrics(name) for name in ("pumps", "fans")}
        for name, rows in (("pumps", 500), ("fans", 0)):
            self.metrics[name].polled(rows)
        registry = CollectorRegistry()
        PipelineStates(self.members, registry)
        self.monitor = Monitor(port=0, members=self.members, registry=registry)

    def members(self) -> list[Member]:
        """As the process would list them."""
        pumps, fans = self.metrics["pumps"].registry, self.metrics["fans"].registry
        return [
            Member("pumps", lambda: Health(0.0), pumps, None, Condition("running", "", 3)),
            Member("fans", lambda: Health(0.0, waiting=self.waiting), fans),
        ]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    """A process that serves."""
    monkeypatch.setattr(probe, "BETWEEN_S", 0.05)
    made = Plant()
    made.monitor.start()
    try:
        yield made
    finally:
        made.monitor.stop()


def status(*words: str) -> Result:
    """The command with these words."""
    return CliRunner().invoke(app, ["service", "status", *words])


def test_the_figures_of_a_process_that_serves(plant: Plant) -> None:
    """By pipeline, with exit code 0 where all are ready."""
    done = status("--url", f"http://127.0.0.1:{plant.monitor.port}")
    assert done.exit_code == 0
    lines = [line.split() for line in done.output.splitlines()]
    assert lines[0][0] == "ready"
    assert ["pumps", "up", "3", "0", "–", "0"] in lines
    assert ["fans", "up", "0", "0", "–", "0"] in lines


def test_what_is_not_ready_says_why(plant: Plant) -> None:
    """With the exit code of systemctl for what does not run."""
    plant.waiting = ("recovery: 12 % replayed\x1b[2J",)
    done = status("--url", f"http://127.0.0.1:{plant.monitor.port}/")
    assert done.exit_code == 3
    assert "not ready" in done.output
    assert "fans: recovery: 12 % replayed" in done.output
    assert "\x1b" not in done.output


def test_nobody_there_is_an_answer_too() -> None:
    """Not a traceback."""
    url = f"http://127.0.0.1:{free_port()}"
    done = status("--url", url)
    assert done.exit_code == 3
    assert f"not ready  {url}" in done.output
    assert "Connection refused" in done.output


def test_another_server_is_an_answer_too(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it may serve there."""
    monkeypatch.setattr(probe, "_get", lambda *_: b"<html>")
    told = ask(f"http://127.0.0.1:{plant.monitor.port}")
    assert not told.ready
    assert told.pipelines == ()


def test_rates_and_lags_come_from_two_looks() -> None:
    """A pipeline that was started again in between has no rate, one without a log no lag."""
    before = {"streamcell_input_rows_total": {"a": 100.0, "b": 100.0}}
    after = {
        "streamcell_pipeline_up": {"a": 1.0, "b": 0.0, "c": 1.0},
        "streamcell_input_rows_total": {"a": 150.0, "b": 3.0},
        "streamcell_input_lag_records": {"a": 7.0},
        "streamcell_pipeline_restarts_total": {"b": 2.0},
        "streamcell_output_dead_letters_total": {"a": 4.0},
    }
    a, b, c = figures(before, after, 0.5)
    assert (a.rows_per_s, a.lag, a.restarts, a.dead_letters, a.up) == (100.0, 7, 0, 4, True)
    assert (b.rows_per_s, b.lag, b.restarts, b.up) == (None, None, 2, False)
    assert c.rows_per_s is None


@pytest.mark.parametrize(
    ("bind", "host"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("edge", "edge")],  # noqa: S104
)
def test_everywhere_is_asked_here(bind: str, host: str) -> None:
    """An address to listen on is not always one to ask."""
    assert address(HttpConfig(bind=bind, port=1234)) == f"http://{host}:1234"


def test_the_address_is_in_the_configuration(tmp_path: Path) -> None:
    """Which may name secrets that nobody but the service has."""
    file = tmp_path / "pipeline.toml"
    file.write_text('pipeline = [{ name = "x", url_env = "SECRET" }]\n[http]\nport = 1234\n')
    assert http_of(file).port == 1234
    for text in ("[http]\nport = 'x'\n", "[http"):
        file.write_text(text)
        with pytest.raises(StreamcellError, match=r"pipeline\.toml"):
            http_of(file)
    with pytest.raises(StreamcellError, match="can't read"):
        http_of(tmp_path / "none.toml")


def test_an_installed_service_is_found_by_its_name(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that are installed where none is named; without systemd the process still answers."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(manager, "running", lambda **_: False)
    assert isinstance(status("--user").exception, StreamcellError)
    folder = tmp_path / "streamcell/pumps"
    folder.mkdir(parents=True)
    (folder / ".installed").touch()
    (folder / "pipeline.toml").write_text(f"[http]\nport = {plant.monitor.port}\n")
    for words in (["--user"], ["pumps", "--user"]):
        done = status(*words)
        assert done.exit_code == 0, done.output
        assert done.output.splitlines()[0] == "pumps"
        assert "no systemd runs here" in done.output
    (folder / "pipeline.toml").write_text("[http]\nport = 0\n")
    assert "--url" in status("pumps", "--user").output


def test_the_unit_is_told_where_systemd_runs(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state, process, memory and starts."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(manager, "running", lambda **_: True)
    shown = {"ActiveState": "active", "SubState": "running", "MainPID": "7", "NRestarts": "2"}
    monkeypatch.setattr(manager.Manager, "shows", lambda *_: shown | {"MemoryCurrent": "120000000"})
    folder = tmp_path / "streamcell/pumps"
    folder.mkdir(parents=True)
    (folder / "pipeline.toml").write_text(f"[http]\nport = {plant.monitor.port}\n")
    done = status("pumps", "--user")
    assert "active (running), process 7, 120 MB, started again 2 times" in done.output
