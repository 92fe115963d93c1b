"""The monitor's HTTP server: health, metrics, limits, the event stream, coming and going."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from pipeline.errors import ConfigError
from pipeline.monitor import http as monitor_http
from pipeline.monitor import page, server
from pipeline.monitor.health import Health, Vitals
from tests.pipeline.monitor.conftest import TOKEN, Site
from tests.pipeline.monitor.plant import batch_of
from tests.pipeline.monitor.serving import monitor_of
from tests.shared import REPOSITORY


def until(condition: Any, deadline_s: float = 10.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "never came true"
        time.sleep(0.01)


def raw(site: Site) -> socket.socket:
    """A plain connection."""
    return socket.create_connection(("127.0.0.1", site.monitor.port), timeout=20)


class Viewer:
    """A client of the event stream."""

    def __init__(self, site: Site, path: str = "/live") -> None:
        self._connection = site.connect()
        self._connection.request("GET", path, headers=site.bearer)
        self.response = self._connection.getresponse()

    def lines(self) -> Iterator[str]:
        """Lines as they come, to the stream's end."""
        while line := self.response.readline():
            yield line.decode().rstrip("\n")

    def messages(self) -> Iterator[dict[str, Any]]:
        """The messages' data."""
        for line in self.lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])

    def close(self) -> None:
        """Go away."""
        self._connection.close()


@contextmanager
def viewer(site: Site, path: str = "/live") -> Iterator[Viewer]:
    """A viewer for a while."""
    made = Viewer(site, path)
    try:
        yield made
    finally:
        made.close()


def test_health_follows_the_loop(site: Site) -> None:
    """Alive while the heart beats, 503 with the reason when it stopped."""
    answer = site.get("/healthz")
    assert answer.status == 200
    assert answer.json()["status"] == "alive"
    failure = Health(0.0, "the sink is gone: /var full")
    monitor = monitor_of(registry=CollectorRegistry(), health=lambda: failure)
    monitor.start()
    try:
        failed = Site(monitor, site.view, site.vitals, site.metrics)
        answer = failed.get("/healthz")
        assert answer.status == 503
        assert answer.json()["reasons"] == ["the sink is gone: /var full"]
        assert failed.get("/readyz").status == 503
    finally:
        monitor.stop()


def test_a_stale_heartbeat_is_not_alive() -> None:
    """A loop that hangs is told by its age."""
    now = [0.0]
    vitals = Vitals(stale_after_s=30, clock=lambda: now[0])
    monitor = monitor_of(port=0, registry=CollectorRegistry(), health=vitals)
    site = Site(monitor, None, vitals, None)  # type: ignore[arg-type]  # only health is asked
    monitor.start()
    try:
        assert site.get("/healthz").status == 200
        now[0] = 31.0
        answer = site.get("/healthz")
        assert answer.status == 503
        assert "31 s" in answer.json()["reasons"][0]
        assert answer.json()["heartbeat_age_s"] == 31.0
        vitals.beat()
        assert site.get("/healthz").status == 200
    finally:
        monitor.stop()


def test_readiness_tells_what_is_waited_for(site: Site) -> None:
    """Recovery and sources each keep it from being ready; being alive is something else."""
    site.vitals.wait("recovery", "40 % replayed")
    site.vitals.wait("source machines", "no broker")
    answer = site.get("/readyz")
    assert answer.status == 503
    assert answer.json() == {
        "status": "waiting",
        "reasons": ["recovery: 40 % replayed", "source machines: no broker"],
    }
    assert site.get("/healthz").status == 200
    site.vitals.done("recovery")
    assert site.get("/readyz").status == 503
    site.vitals.done("source machines")
    answer = site.get("/readyz")
    assert (answer.status, answer.json()) == (200, {"status": "ready", "reasons": []})


def test_metrics_in_both_formats(site: Site) -> None:
    """Prometheus' text by default, OpenMetrics where asked for."""
    site.metrics.polled(42)
    answer = site.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert b'streamcell_input_rows_total{pipeline="line <7>"} 42.0' in answer.body
    answer = site.get("/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/nothing", "/live"])
def test_every_answer_carries_the_security_headers(site: Site, path: str) -> None:
    """Refusals and errors too: nothing from elsewhere, no inline script, no framing, no cache."""
    for headers in ({}, site.bearer):
        answer = site.get(path, headers, method="HEAD")
        policy = dict(
            part.strip().split(" ", 1)
            for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_the_page_has_nothing_inline_and_only_its_own_files(site: Site) -> None:
    """What the policy forbids isn't in it, and every file it names is served with its type."""
    text = site.get("/", site.bearer).body.decode()
    assert "<style" not in text
    assert " style=" not in text
    assert " onclick" not in text
    assert text.count("<script") == text.count('<script type="module" src="/static/')
    for name, kind in (("app.js", "text/javascript"), ("style.css", "text/css")):
        assert f"/static/{name}" in text
        answer = site.get(f"/static/{name}", site.bearer)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize(
    "name", ["../server.py", "..%2fserver.py", "%2e%2e/server.py", "app.js%00", "server.py", ""]
)
def test_static_serves_no_other_file(site: Site, name: str) -> None:
    """Names are looked up in a table, not on the disk."""
    answer = site.get(f"/static/{name}", site.bearer)
    assert answer.status == 404
    assert b"import" not in answer.body


def test_other_methods_bodies_and_long_queries_are_refused(site: Site) -> None:
    """405, 413 and 414; the connection of a sender of bodies is closed."""
    assert site.get("/metrics", method="POST").status == 405
    assert site.get("/streams?q=" + "x" * 4000, site.bearer).status == 414
    connection = site.connect()
    connection.request("GET", "/healthz", body=b"x" * 100_000)
    answer = connection.getresponse()
    assert answer.status == 413
    assert answer.getheader("connection") == "close"
    connection.close()
    with raw(site) as chunked:
        chunked.sendall(b"POST /live HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b" 413 " in chunked.recv(1000)


def test_a_giant_head_is_refused(site: Site) -> None:
    """Headers are bounded, so memory is."""
    with raw(site) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        connection.sendall(b"X: " + b"y" * (server.MAX_HEADER_BYTES + 1) + b"\r\n")
        assert b" 400 " in connection.recv(1000)


def test_requests_that_never_end_are_cut(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent connection, half a head, and half a head after a full request."""
    monkeypatch.setattr(monitor_http, "REQUEST_S", 0.2)
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for before, start in ((b"", b""), (b"", whole[:20]), (whole, whole[:20])):
        with raw(site) as connection:
            connection.sendall(before)
            answer = b""
            while before and not answer.endswith(b"}"):
                answer += connection.recv(10_000)
            connection.sendall(start)
            began = time.monotonic()
            assert connection.recv(1000) == b""  # the server closed
            assert time.monotonic() - began < server.KEEP_ALIVE_S / 2


def test_a_slow_but_finished_request_is_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline is for the head alone: an event stream lives longer."""
    monkeypatch.setattr(monitor_http, "REQUEST_S", 0.3)
    with viewer(site) as seen:
        messages = seen.messages()
        for _ in range(3):
            next(messages)


def test_viewers_are_limited(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than allowed is told so; after one left there is room again."""
    monkeypatch.setattr(page, "MAX_VIEWERS", 2)
    with viewer(site) as first:
        next(first.messages())
        with viewer(site) as second:
            next(second.messages())
            with viewer(site) as third:
                assert third.response.status == 503
        until(lambda: site.get("/live", site.bearer, method="HEAD").status == 200)
        with viewer(site) as fourth:
            next(fourth.messages())
            with viewer(site) as fifth:
                assert fifth.response.status == 503
    assert site.get("/healthz").status == 200


def test_events_bring_increments(site: Site) -> None:
    """First everything, then what came since: the points of the stream asked for among it."""
    with viewer(site, "/live?stream=press-001") as seen:
        assert seen.response.getheader("content-type") == "text/event-stream; charset=utf-8"
        messages = seen.messages()
        first = next(messages)
        assert first["first"] is True
        assert first["pipeline"] == "line <7>"
        assert len(first["focus"]["t"]) == 100
        assert {stream["key"] for stream in first["streams"]} >= {"press-001", "press-002"}
        site.view.status({"lag": 99})
        row = batch_of([b"press-001"], np.full((1, 3), 7.0, np.float32), 5)
        site.view.observe(row, [])
        second = next(messages)
        assert "first" not in second
        assert second["status"]["lag"] == 99
        assert second["focus"]["v"] == [[7.0, 7.0, 7.0]]
        assert second["focus"]["reset"] is False
        assert next(messages)["focus"]["t"] == []


def test_stop_ends_open_event_streams_within_two_seconds(site: Site) -> None:
    """They get a last word, and the thread is gone."""
    with viewer(site) as seen, viewer(site) as idle:
        next(seen.messages())
        next(idle.messages())
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(seen.lines()))
        reader.start()
        began = time.monotonic()
        site.monitor.stop()
        assert time.monotonic() - began < 2.0
        reader.join(5)
        assert not reader.is_alive()
        assert "event: bye" in lines
    assert not any(thread.name == "monitor" for thread in threading.enumerate())
    with pytest.raises(OSError, match="refused"):
        raw(site)


def test_stop_is_quick_with_connections_that_say_nothing(site: Site) -> None:
    """Nor do half requests hold it up."""
    with raw(site), raw(site) as half:
        half.sendall(b"GET /healthz HT")
        began = time.monotonic()
        site.monitor.stop()
        assert time.monotonic() - began < 2.0
    site.monitor.stop()


def test_a_busy_port_is_a_clear_error(site: Site) -> None:
    """It names the address and the keys to change."""
    with pytest.raises(ConfigError, match=r"http\.port") as raised:
        monitor_of(port=site.monitor.port, registry=CollectorRegistry(), health=Vitals()).start()
    assert f"127.0.0.1:{site.monitor.port}" in str(raised.value)


def test_an_address_of_another_machine_is_a_clear_error() -> None:
    """As is a name that doesn't resolve."""
    for bind in ("203.0.113.7", "no.such.host.invalid"):
        with pytest.raises(ConfigError, match=r"http\.bind"):
            monitor_of(bind, 0, registry=CollectorRegistry(), health=Vitals()).start()


def test_a_port_can_be_taken_again_at_once(site: Site) -> None:
    """A restart doesn't wait for old connections to be forgotten."""
    assert site.get("/healthz").status == 200
    with viewer(site) as seen:
        next(seen.messages())
        site.monitor.stop()
        again = monitor_of(
            port=site.monitor.port, token=TOKEN, registry=CollectorRegistry(), health=Vitals()
        )
        again.start()
        again.stop()


def test_before_there_is_a_view_the_page_tells_how_things_stand(site: Site) -> None:
    """The page opens; nothing else is shown of a pipeline that is still being assembled."""
    monitor = monitor_of(port=0, token=TOKEN, registry=CollectorRegistry(), health=Vitals())
    monitor.start()
    try:
        alone = Site(monitor, site.view, site.vitals, site.metrics)
        assert alone.get("/", alone.bearer).status == 200
        assert alone.get("/streams", alone.bearer).json() == {"streams": []}
        assert alone.get("/picture?camera=a&t=1", alone.bearer).status == 404
        with viewer(alone) as seen:
            assert "event: crew" in (line.strip() for line in seen.lines())
            assert next(seen.messages())["pipelines"][0]["name"] == "line"
    finally:
        monitor.stop()


def test_the_process_ends_without_stop() -> None:
    """The thread doesn't keep a program alive that forgot it."""
    program = (
        "from prometheus_client import CollectorRegistry\n"
        "from pipeline.monitor.health import Health, Vitals\n"
        "from tests.pipeline.monitor.serving import monitor_of\n"
        "monitor_of(port=0, registry=CollectorRegistry(), health=Vitals()).start()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, timeout=60, check=False)
    assert done.returncode == 0


def test_head_of_the_event_stream_ends(site: Site) -> None:
    """A probe for the headers doesn't hang."""
    answer = site.get("/live", site.bearer, method="HEAD")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_a_client_that_stops_reading_holds_nobody_up(site: Site) -> None:
    """Others still get their events."""
    lazy = raw(site)
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    bearer = f"Authorization: Bearer {TOKEN}"
    lazy.sendall(f"GET /live HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n".encode())
    with viewer(site) as seen:
        messages = seen.messages()
        for _ in range(2):
            next(messages)
    lazy.close()
