"""What keeps strangers out: guesses, names from elsewhere, defects, secrets in errors."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog
from prometheus_client import CollectorRegistry

from pipeline.monitor import guesses
from pipeline.monitor.guesses import MAX_ADDRESSES, MOST, WINDOW_S, Guesses
from pipeline.monitor.health import Health, Vitals
from pipeline.monitor.members import Condition, Member
from pipeline.monitor.server import Monitor
from tests.pipeline.monitor.conftest import TOKEN, Site
from tests.pipeline.monitor.serving import monitor_of

CAMERA = "rtsp://admin:pa/ss@word@10.0.0.7:554/live?token=abc"


def test_who_guesses_has_to_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is guessed next, right or wrong; a browser that was in before stays in."""
    cookie = site.get(f"/?token={TOKEN}").headers["set-cookie"].split(";")[0]
    for at in range(MOST):
        assert site.get(f"/?token=guess-number-{at}").status == 401
    refused = site.get(f"/?token={TOKEN}")
    assert refused.status == 429
    assert 0 < int(refused.headers["retry-after"]) <= WINDOW_S
    assert site.get("/", site.bearer).status == 429
    assert site.get("/", {"Cookie": cookie}).status == 200
    assert site.get("/metrics").status == 200
    monkeypatch.setattr(guesses, "WINDOW_S", 0.0)
    assert site.get("/", site.bearer).status == 200


def test_coming_without_a_token_is_no_guess(site: Site) -> None:
    """A browser asks for icons and the like before it has the cookie."""
    for _ in range(2 * MOST):
        assert site.get("/").status == 401
    assert site.get("/", site.bearer).status == 200


def test_guesses_are_counted_by_address_for_a_while() -> None:
    """An IPv6 user by his network; memory has a bound, and time forgives."""
    now = [0.0]
    made = Guesses(lambda: now[0])
    with structlog.testing.capture_logs() as logs:
        for at in range(MOST):
            made.wrong(f"2001:db8:1:2::{at:x}")
    assert [one["address"] for one in logs] == ["2001:db8:1:2::/64"]
    assert made.wait_s("2001:db8:1:2:ffff::1") == WINDOW_S
    assert made.wait_s("2001:db8:1:3::1") == made.wait_s("10.0.0.1") == 0
    now[0] = WINDOW_S
    assert made.wait_s("2001:db8:1:2::1") == 0
    for at in range(2 * MAX_ADDRESSES):
        made.wrong(f"10.0.{at // 256}.{at % 256}")
    assert len(made._wrong) == MAX_ADDRESSES


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/", "/live"])
def test_on_loopback_a_name_from_elsewhere_is_refused(site: Site, path: str) -> None:
    """A page whose name was made to mean 127.0.0.1 must not read what needs no token."""
    for name in ("evil.example", "evil.example:9464", "localhost.evil.example", "", "[evil]"):
        answer = site.get(path, site.bearer | {"Host": name})
        assert answer.status == 421, name
        assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST:1", "a.localhost", "[::1]:9464", "10.0.0.1"]
)
def test_on_loopback_this_machines_names_are_answered(site: Site, name: str) -> None:
    """Addresses can't be made to mean another one."""
    assert site.get("/metrics", {"Host": name}).status == 200


@pytest.fixture
def open_logs() -> Iterator[list[structlog.typing.EventDict]]:
    """What is logged."""
    with structlog.testing.capture_logs() as logs:
        yield logs


@pytest.mark.parametrize("token", [None, TOKEN])
def test_an_endpoint_for_the_network_is_warned_of(
    token: str | None, open_logs: list[structlog.typing.EventDict]
) -> None:
    """It answers under any name: there metrics and health, the rest with the token only."""
    monitor = monitor_of("0.0.0.0", 0, token, registry=CollectorRegistry(), health=Vitals())  # noqa: S104
    monitor.start()
    site = Site(monitor, None, None, None)  # type: ignore[arg-type]  # only answers are looked at
    try:
        (warning,) = [one for one in open_logs if one["log_level"] == "warning"]
        assert warning["live_page"] == ("closed" if token is None else "with the token")
        assert site.get("/metrics", {"Host": "edge-7.plant.example"}).status == 200
        assert site.get("/").status == (403 if token is None else 401)
    finally:
        monitor.stop()


def test_on_loopback_nothing_is_warned_of(open_logs: list[structlog.typing.EventDict]) -> None:
    """The default is quiet."""
    monitor = monitor_of(port=0, registry=CollectorRegistry(), health=Vitals())
    monitor.start()
    monitor.stop()
    assert not [one for one in open_logs if one["log_level"] == "warning"]


def test_a_defect_tells_nothing_and_keeps_the_headers(site: Site) -> None:
    """An answer to what nobody thought of is as guarded as any other."""

    def broken() -> list[Member]:
        raise RuntimeError(f"can't open {CAMERA}")

    site.monitor._members = broken
    answer = site.get("/healthz")
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert "content-security-policy" in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_secrets_in_errors_are_masked_on_every_page(site: Site) -> None:
    """An unexpected exception may say anything: the address of a camera with its password."""
    failure = f"{CAMERA}: no answer; sasl.password=hunter2"
    vitals, health = Vitals(), Health(0.0, failure, (f"camera: {failure}",))
    conditions = [Condition("restarting", failure, 1, 5.0), Condition("failed", failure)]
    members = [
        Member(f"p{at}", lambda: health, None, None, one) for at, one in enumerate(conditions)
    ]
    monitor = Monitor(port=0, token=TOKEN, members=lambda: members, registry=CollectorRegistry())
    monitor.start()
    shown = Site(monitor, None, vitals, None)  # type: ignore[arg-type]  # as above
    connection = shown.connect()
    try:
        texts = [shown.get(path).body.decode() for path in ("/healthz", "/readyz", "/metrics")]
        connection.request("GET", "/live", headers=shown.bearer)
        answer = connection.getresponse()
        while not (line := answer.readline()).startswith(b"data:"):
            assert line
        texts.append(line.decode())
        assert json.loads(line[5:])["pipelines"][0]["failure"].startswith("rtsp://admin:***@10.0")
    finally:
        connection.close()
        monitor.stop()
    for text in texts:
        assert "pa/ss" not in text
        assert "word@" not in text
        assert "hunter2" not in text
        assert "abc" not in text


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "PUT", "DELETE", "TRACE"])
def test_pages_from_elsewhere_are_not_let_in(site: Site, method: str) -> None:
    """No other method is answered, and no answer allows another origin to read it."""
    headers = site.bearer | {"Origin": "https://evil.example"}
    refused = site.get("/live", headers, method)
    assert refused.status == 405
    for answer in (refused, site.get("/streams", headers), site.get("/metrics", headers)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
