"""Many connections of one client: health and metrics are answered all the same."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pipeline.monitor import http as monitor_http
from pipeline.monitor.http import MAX_CONNECTIONS, MAX_OF_ONE_CLIENT
from pipeline.monitor.page import MAX_VIEWERS
from tests.pipeline.monitor.conftest import TOKEN, Site

HEALTH = b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
EVENTS = f"GET /live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
EVERYTHING = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Crowd:
    """Connections that stay open."""

    def __init__(self, site: Site) -> None:
        self._site, self._stack = site, ExitStack()

    def join(self, request: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
        """One more, from this address; its request is answered, or at least begun to be."""
        made = socket.create_connection(
            ("127.0.0.1", self._site.monitor.port), timeout=10, source_address=(address, 0)
        )
        self._stack.enter_context(made)
        if request:
            made.sendall(request)
            assert made.recv(10_000).startswith(b"HTTP/1.1 200 ")
        return made

    def leave(self) -> None:
        """Close them all."""
        self._stack.close()


def is_closed(connection: socket.socket) -> bool:
    """Whether the server ended it; what it said before is read."""
    connection.settimeout(0.3)
    end = time.monotonic() + 1
    try:
        while connection.recv(1_000_000):
            if time.monotonic() > end:  # events go on and on
                return False
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


@pytest.fixture
def crowd(site: Site) -> Iterator[Crowd]:
    """Nobody yet."""
    made = Crowd(site)
    yield made
    made.leave()


@pytest.mark.parametrize("request_", [b"", HEALTH], ids=["silent", "asking"])
def test_a_crowd_keeps_nobody_out(site: Site, crowd: Crowd, request_: bytes) -> None:
    """Neither those who come from elsewhere nor those of the crowd's own address."""
    for _ in range(MAX_CONNECTIONS):
        crowd.join(request_, "127.0.0.2")
    for _ in range(3):
        assert site.get("/healthz").status == site.get("/metrics").status == 200
    crowd.join(HEALTH, "127.0.0.2")


def test_the_longest_idle_one_of_a_client_makes_room(site: Site, crowd: Crowd) -> None:
    """One who asks again stays, and so does everybody at another address."""
    other = crowd.join(HEALTH, "127.0.0.3")
    first, second = crowd.join(HEALTH), crowd.join(HEALTH)
    for _ in range(MAX_OF_ONE_CLIENT - 2):
        crowd.join(HEALTH)
    first.sendall(HEALTH)
    assert first.recv(10_000).startswith(b"HTTP/1.1 200 ")
    crowd.join(HEALTH)
    assert is_closed(second)
    assert not is_closed(first)
    assert not is_closed(other)


def test_viewers_stay_while_others_are_idle(site: Site, crowd: Crowd) -> None:
    """A proxy brings them all from one address, and their last request is long ago."""
    viewers = [crowd.join(EVENTS) for _ in range(MAX_VIEWERS)]
    for _ in range(MAX_OF_ONE_CLIENT):
        crowd.join(HEALTH)
    assert not any(is_closed(one) for one in viewers[:2])


def test_who_does_not_read_makes_room_first(site: Site, crowd: Crowd) -> None:
    """Also where what he asked for waits to be sent: it would wait forever."""
    deaf = crowd.join()
    deaf.sendall(EVERYTHING * 4000)
    for _ in range(MAX_OF_ONE_CLIENT):
        crowd.join(HEALTH)
    assert is_closed(deaf)


def test_beyond_the_limit_of_all_the_largest_crowd_makes_room(
    site: Site, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody with one idle connection keeps it."""
    monkeypatch.setattr(monitor_http, "MAX_CONNECTIONS", 4)
    alone = crowd.join(HEALTH, "127.0.0.3")
    longest, *others = (crowd.join(HEALTH, "127.0.0.2") for _ in range(3))
    crowd.join(HEALTH)
    assert is_closed(longest)
    assert not any(is_closed(one) for one in (alone, *others))
