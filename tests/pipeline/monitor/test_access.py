"""Who may see the live page: nobody without a token, everybody who has it."""

from __future__ import annotations

import hmac

import pytest
from starlette.requests import Request
from starlette.responses import Response

from pipeline.errors import ConfigError
from pipeline.monitor.access import MIN_TOKEN, Access
from tests.pipeline.monitor.conftest import TOKEN, Site

GUARDED = ["/", "/static/app.js", "/static/nothing.js", "/streams?q=a", "/live"]
OPEN = ["/metrics", "/healthz", "/readyz"]
TLS = {"X-Forwarded-Proto": "https"}


@pytest.mark.parametrize("path", GUARDED)
def test_without_a_token_set_the_page_is_closed_and_tells_how_to_open_it(
    closed_site: Site, path: str
) -> None:
    """403 for everybody, whatever they send."""
    for headers in ({}, closed_site.bearer, {"Cookie": "streamcell_live=x"}):
        answer = closed_site.get(path, headers)
        assert answer.status == 403
        assert b"STREAMCELL_TOKEN" in answer.body
    assert closed_site.get("/?token=").status == 403


@pytest.mark.parametrize("path", GUARDED)
def test_without_the_token_or_with_a_wrong_one_nothing_is_told(site: Site, path: str) -> None:
    """401 with a way in, and neither the token nor any data."""
    separator = "&" if "?" in path else "?"
    wrong = [
        (path, {}),
        (f"{path}{separator}token=", {}),
        (f"{path}{separator}token={TOKEN[:-1]}", {}),
        (f"{path}{separator}token={TOKEN}x", {}),
        (f"{path}{separator}token=%FF%00", {}),
        (path, {"Authorization": "Bearer "}),
        (path, {"Authorization": f"Bearer {TOKEN.upper()}"}),
        (path, {"Authorization": f"Basic {TOKEN}"}),
        (path, {"Cookie": f"streamcell_live_{site.monitor.port}={TOKEN}"}),
        (path, {"Cookie": f"streamcell_live_{site.monitor.port}="}),
        (path, {"Cookie": '="; ;;=,'}),
    ]
    for address, headers in wrong:
        answer = site.get(address, headers)
        assert answer.status == 401, (address, headers)
        assert "bearer" in answer.headers["www-authenticate"].lower()
        assert "set-cookie" not in answer.headers
        assert TOKEN.encode() not in answer.body
        assert b"press-" not in answer.body


@pytest.mark.parametrize("path", OPEN)
def test_metrics_and_health_need_no_token(site: Site, closed_site: Site, path: str) -> None:
    """Prometheus and the process manager come without."""
    assert site.get(path).status == 200
    assert closed_site.get(path).status == 200


def test_bearer_opens(site: Site) -> None:
    """Programs send a header; the scheme's case doesn't matter."""
    assert site.get("/streams?q=press-001", site.bearer).json() == {"streams": ["press-001"]}
    assert site.get("/", {"Authorization": f"bearer {TOKEN}"}).status == 200


def test_token_in_the_address_sets_a_cookie_that_opens(site: Site) -> None:
    """Once in the address, then the cookie is enough; it is not the token and no script sees it."""
    first = site.get(f"/?token={TOKEN}")
    assert first.status == 200
    assert b"<main" in first.body
    cookie, *attributes = first.headers["set-cookie"].split("; ")
    assert {"httponly", "samesite=strict", "path=/"} <= {word.lower() for word in attributes}
    assert TOKEN not in cookie
    assert cookie.startswith(f"streamcell_live_{site.monitor.port}=")
    for path in ("/", "/static/app.js", "/streams"):
        answer = site.get(path, {"Cookie": f"other=1; {cookie}"})
        assert answer.status == 200
        assert "set-cookie" not in answer.headers
    assert site.get("/", {"Cookie": cookie[:-1]}).status == 401


def test_behind_tls_the_cookie_is_for_tls_alone(site: Site) -> None:
    """As a proxy on this machine says; without one it must open the page without TLS."""
    for said, secure in (({}, False), ({"X-Forwarded-Proto": "http"}, False), (TLS, True)):
        cookie = site.get(f"/?token={TOKEN}", said).headers["set-cookie"].lower()
        assert ("secure" in cookie.split("; ")) is secure, said


@pytest.mark.parametrize(
    ("client", "secure"),
    [("127.0.0.1", True), ("::1", True), ("192.0.2.7", False), ("fe80::1%eth0", False)],
)
def test_tls_is_believed_of_this_machine_alone(client: str, secure: bool) -> None:
    """Anybody can send the header."""
    headers = [(name.lower().encode(), value.encode()) for name, value in TLS.items()]
    request = Request(
        {
            "type": "http",
            "client": (client, 4711),
            "server": ("192.0.2.1", 9464),
            "scheme": "http",
            "path": "/",
            "query_string": f"token={TOKEN}".encode(),
            "headers": headers,
        }
    )
    response = Response()
    Access(TOKEN).remember(request, response)
    assert ("secure" in response.headers["set-cookie"].lower().split("; ")) is secure


def test_a_cookie_of_another_token_is_worth_nothing(site: Site) -> None:
    """Whoever changes the token shuts everybody out."""
    other = Access("another token!")
    assert (
        site.get("/", {"Cookie": f"streamcell_live_{site.monitor.port}={other._cookie}"}).status
        == 401
    )


def test_comparisons_take_the_same_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every comparison is hmac.compare_digest over equally long digests."""
    lengths = []
    compare = hmac.compare_digest

    def counted(given: str, right: str) -> bool:
        lengths.append((len(given), len(right)))
        return compare(given, right)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    for token in ("a", TOKEN[:-1], TOKEN, TOKEN * 20):
        site.get(f"/?token={token}")
    assert len(lengths) >= 8
    assert set(lengths) == {(64, 64)}


@pytest.mark.parametrize("token", ["", "short", "x" * (MIN_TOKEN - 1)])
def test_a_token_that_can_be_guessed_is_refused(token: str) -> None:
    """An empty one above all: it must not open everything."""
    with pytest.raises(ConfigError, match="at least"):
        Access(token)
