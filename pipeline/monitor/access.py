"""Who may see the live page, and what every answer carries to keep a browser safe."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.errors import ConfigError
from pipeline.monitor.guesses import Guesses

MIN_TOKEN = 12  # characters
MAX_QUERY_BYTES = 2048
COOKIE_AGE_S = 30 * 24 * 3600

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

HOW_TO_OPEN = """\
The live page is closed: no token is set.

Set a secret of your choice, of at least 12 characters, and start streamcell again:

    export STREAMCELL_TOKEN="$(openssl rand -hex 16)"

(or the variable that http.token_env names). Then open this address with ?token=<the secret>.
Metrics and health need no token: /metrics, /healthz, /readyz.
"""
TOO_MANY = "Too many wrong tokens came from this address: wait a minute.\n"
WRONG_NAME = """\
This endpoint listens on this machine alone and answers as 127.0.0.1, [::1] or localhost only, so
that no page from elsewhere can have a browser read it under another name. A proxy in front has to
send one of these as the Host header.
"""
HOW_TO_ENTER = """\
The live page needs its token.

Open it once as /?token=<the secret>: a cookie remembers it in this browser.
Programs send the header "Authorization: Bearer <the secret>".
The secret is in the environment variable that http.token_env names (STREAMCELL_TOKEN).
"""


class Access:
    """Checks tokens in constant time. ``None`` as the token closes what needs one.

    ``guesses`` makes addresses with many wrong tokens wait; a browser's cookie, which can't be
    guessed, opens all the same.
    """

    def __init__(self, token: str | None, guesses: Guesses | None = None) -> None:
        if token is not None and len(token) < MIN_TOKEN:
            raise ConfigError(
                "http", [f"the live page's token must have at least {MIN_TOKEN} characters"]
            )
        self._token = token
        self._guesses = Guesses() if guesses is None else guesses
        # The cookie does not hold the secret itself, and outlives restarts of the process.
        self._cookie = "" if token is None else _digest(token, b"streamcell live page")

    @property
    def closed(self) -> bool:
        """Whether nobody gets in, as no token is set."""
        return self._token is None

    def refusal(self, request: Request) -> Response | None:
        """The answer to a request that may not pass; None lets it pass."""
        if self._token is None:
            return PlainTextResponse(HOW_TO_OPEN, 403)
        if _equal(_cookie(request, cookie_name(request)), self._cookie):
            return None
        host = request.client.host if request.client is not None else ""
        if wait_s := self._guesses.wait_s(host):
            return PlainTextResponse(TOO_MANY, 429, {"Retry-After": str(math.ceil(wait_s))})
        given = request.query_params.get("token", "")
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if self._right(given) | (scheme.lower() == "bearer" and self._right(bearer.strip())):
            return None
        if given or bearer:
            self._guesses.wrong(host)
        return PlainTextResponse(
            HOW_TO_ENTER, 401, {"WWW-Authenticate": 'Bearer realm="streamcell"'}
        )

    def remember(self, request: Request, response: Response) -> None:
        """Set the cookie if the request brought the token in its address."""
        if request.query_params.get("token"):
            response.set_cookie(
                cookie_name(request),
                self._cookie,
                max_age=COOKIE_AGE_S,
                httponly=True,
                samesite="strict",
                secure=_came_by_tls(request),
            )

    def _right(self, given: str) -> bool:
        return self._token is not None and _equal(given, self._token)


class Guard:
    """ASGI middleware: refuses bodies and overlong queries, adds the security headers.

    With ``local`` requests must name this machine: a page from elsewhere whose name was made to
    mean this machine's address could read along otherwise.
    """

    def __init__(self, app: ASGIApp, *, local: bool) -> None:
        self._app, self._local = app, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for header, value in SECURITY_HEADERS.items():
                    headers[header] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = dict(scope["headers"])
        app = self._app
        if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
            # Whoever sends a body is no viewer: it isn't read, so the connection can't go on.
            app = PlainTextResponse("no body is expected here\n", 413, {"Connection": "close"})
        elif len(scope["query_string"]) > MAX_QUERY_BYTES:
            app = PlainTextResponse("the query is too long\n", 414)
        elif self._local and not _names_this_machine(headers.get(b"host", b"")):
            app = PlainTextResponse(WRONG_NAME, 421)
        await app(scope, receive, send_guarded)


def cookie_name(request: Request) -> str:
    """Browsers share cookies between ports: pipelines of one host need names of their own."""
    return f"streamcell_live_{request.url.port or 0}"


def _names_this_machine(host: bytes) -> bool:
    """Whether a Host header is an address, or the name that every machine has for itself."""
    name = host.decode("latin-1").lower()
    name = name.partition("]")[0].lstrip("[") if name.startswith("[") else name.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return True


def _came_by_tls(request: Request) -> bool:
    """Whether the browser spoke TLS, to a proxy of this machine: others' word is not taken."""
    host = request.client.host if request.client is not None else ""
    return _is_loopback(host) and request.headers.get("x-forwarded-proto", "").lower() == "https"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cookie(request: Request, name: str) -> str:
    try:
        cookies = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""


def _equal(given: str, right: str) -> bool:
    # Digests make both equally long: not even the length can be timed.
    return hmac.compare_digest(_digest(given, b"compare"), _digest(right, b"compare"))


def _digest(text: str, purpose: bytes) -> str:
    return hmac.new(text.encode("utf-8", "surrogatepass"), purpose, hashlib.sha256).hexdigest()
