"""One pipeline in its thread: it ends, fails, comes back, and says how it stands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from deploy.daemon import pauses, runner
from deploy.daemon.runner import Runner
from pipeline.errors import BundleError, FencedError
from tests.deploy.daemon.place import Place, until


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place where attempts follow each other quickly."""
    monkeypatch.setattr(pauses, "FIRST_S", 0.05)
    return Place(tmp_path)


@pytest.fixture
def made(place: Place) -> Iterator[list[Runner]]:
    """Runners that are stopped in the end."""
    found: list[Runner] = []
    yield found
    for one in found:
        one.stop()
        one.join()


def start(place: Place, made: list[Runner], *, restart: bool = True, follow: bool = True) -> Runner:
    """A started runner of the pipeline ``press``."""
    (config,) = place.configure("press", follow=follow)
    made.append(Runner(config, place.folder, restart=lambda: restart))
    made[-1].start()
    return made[-1]


def test_a_source_that_ends_ends_it(place: Place, made: list[Runner]) -> None:
    """Everything is out then, and nothing failed."""
    place.bundle("press")
    place.add("press", 5)
    runner = start(place, made, follow=False)
    runner.join()
    member = runner.member()
    assert len(place.scores("press")) == 5
    assert runner.over
    assert (member.condition.state, member.condition.failure) == ("ended", "")
    assert runner.error is None
    assert not member.health().faults()


def test_without_restarts_an_error_ends_it(place: Place, made: list[Runner]) -> None:
    """The error is kept for whoever started it."""
    runner = start(place, made, restart=False)
    runner.join()
    assert isinstance(runner.error, BundleError)
    assert runner.member().condition.state == "failed"
    assert "press.onnx" in runner.member().health().faults()[0]


def test_it_comes_back_once_the_cause_is_gone(place: Place, made: list[Runner]) -> None:
    """Meanwhile it says what it waits for; then it runs, and has forgotten nothing of its count."""
    place.add("press", 3)
    runner = start(place, made)
    until(lambda: runner.member().condition.restarts >= 2, "two attempts more")
    until(lambda: runner.member().condition.state == "restarting", "a pause")
    assert "press.onnx" in runner.member().condition.failure
    assert "press.onnx" in runner.member().health().waiting[0]
    assert runner.error is None
    place.bundle("press")
    place.wait("press", 3)
    until(lambda: not runner.member().health().waiting, "ready")
    assert runner.member().condition.state == "running"
    assert runner.member().condition.restarts >= 2


@pytest.mark.parametrize(
    ("error", "restarts"), [(FencedError("taken over"), False), (KeyError("odd"), True)]
)
def test_what_is_tried_again(
    place: Place,
    made: list[Runner],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    restarts: bool,
) -> None:
    """A defect is; what another instance took over is not, or the two would take turns."""

    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(runner, "assemble", fail)  # no broker fences on demand
    found = start(place, made)
    if restarts:
        until(lambda: found.member().condition.restarts >= 2, "two attempts more")
    else:
        found.join()
        assert found.error is error
    assert (found.member().condition.state == "failed") is not restarts


def test_a_pause_ends_with_it(
    place: Place, made: list[Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop is not kept waiting for the next attempt."""
    monkeypatch.setattr(pauses, "FIRST_S", 3600.0)
    monkeypatch.setattr(pauses, "LONGEST_S", 3600.0)
    runner = start(place, made)
    until(lambda: runner.member().condition.state == "restarting", "the pause")
    assert runner.member().condition.retry_s > 1000
    began = time.monotonic()
    runner.stop()
    runner.join()
    assert time.monotonic() - began < 10
    assert (runner.error, runner.over) == (None, True)
