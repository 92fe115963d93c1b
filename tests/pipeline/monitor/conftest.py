"""A running monitor with a view of a small plant, and ways to talk to it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from pipeline.metrics import Metrics
from pipeline.monitor import page
from pipeline.monitor.health import Vitals
from pipeline.monitor.live import LiveView
from pipeline.monitor.members import Condition
from pipeline.monitor.server import Monitor
from pipeline.video.jpeg import JpegPrinter
from tests.pipeline.monitor.plant import FEATURES, Plant, fill
from tests.pipeline.monitor.serving import monitor_of
from tests.pipeline.monitor.works import Works, doors, hall, presses, rivers

TOKEN = "0123456789abcdef"  # noqa: S105  # made for the tests


@dataclass
class Answer:
    """Status, headers (names in lower case) and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Site:
    """A monitor and what feeds it."""

    monitor: Monitor
    view: LiveView
    vitals: Vitals
    metrics: Metrics
    bearer: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {TOKEN}"})

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.monitor.port, timeout=20)

    def get(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> Answer:
        """One request and its answer."""
        connection = self.connect()
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()


def site_of(token: str | None) -> Site:
    """A started monitor on a free port, ten seconds of a plant in its view."""
    view = LiveView("line <7>", FEATURES, budget=1e9)
    fill(view, Plant(40), time.time(), 10)
    vitals = Vitals(stale_after_s=3600)
    metrics = Metrics("line <7>")
    monitor = monitor_of(port=0, token=token, registry=metrics.registry, health=vitals, view=view)
    monitor.start()
    return Site(monitor, view, vitals, metrics)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A monitor with a token, whose events come ten times as often as usual."""
    monkeypatch.setattr(page, "EVERY_S", 0.1)
    made = site_of(TOKEN)
    yield made
    made.monitor.stop()


@pytest.fixture(scope="module")
def made_works() -> Iterator[Works]:
    """Four pipelines of four tasks that go on by themselves, with a history of some seconds."""
    made = Works([presses(40), hall(), rivers(), doors(JpegPrinter())], TOKEN)
    made.fill(4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "EVERY_S", 0.2)
        made.monitor.start()
        with made.running():
            yield made
        made.monitor.stop()


@pytest.fixture
def works(made_works: Works) -> Iterator[Works]:
    """They, all of them well again after the test."""
    yield made_works
    for work in made_works.works:
        work.condition, work.assembled = Condition(), True
        work.vitals.done("source")


@pytest.fixture
def closed_site() -> Iterator[Site]:
    """A monitor without a token."""
    made = site_of(None)
    yield made
    made.monitor.stop()
