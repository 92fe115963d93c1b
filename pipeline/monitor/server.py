"""Health, metrics and the live page on one small HTTP server, in a thread of its own.

/healthz  alive?   /readyz  ready?   /metrics  for Prometheus            open to everyone
/  the live page   /live  its data   /picture  of a camera               need the token
/streams  search   /static/…
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading

import structlog
import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.errors import ConfigError
from pipeline.logs import masked_start
from pipeline.monitor.access import Access, Guard
from pipeline.monitor.http import MAX_CONNECTIONS, TimedProtocol
from pipeline.monitor.members import Members, verdict
from pipeline.monitor.page import Page
from pipeline.monitor.registries import Merged

log = structlog.get_logger(__name__)

MAX_HEADER_BYTES = 16 * 1024
KEEP_ALIVE_S = 15
START_S = 10.0
STOP_S = 3.0


class Monitor:
    """Serves until ``stop``. ``port`` 0 takes a free one; ``port`` tells which after ``start``.

    ``members`` is asked for the pipelines at every request, from the server's thread, ``registry``
    has the metrics of the process as a whole. Without a ``token`` the live page is closed. Raises
    ConfigError for a token that is too short.
    """

    def __init__(
        self,
        bind: str = "127.0.0.1",
        port: int = 9464,
        token: str | None = None,
        *,
        members: Members,
        registry: CollectorRegistry,
    ) -> None:
        self.bind = bind
        self.port = port
        self._access = Access(token)
        self._members = members
        self._registry = registry
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen and return; raises ConfigError if the address can't be had."""
        listener = _listen(self.bind, self.port)
        address, self.port = listener.getsockname()[:2]
        local = ipaddress.ip_address(address.partition("%")[0]).is_loopback
        leaving = asyncio.Event()
        self._server = _Server(
            uvicorn.Config(
                self._app(leaving, local=local),
                http=TimedProtocol,
                ws="none",
                lifespan="off",
                loop="asyncio",
                log_config=None,
                access_log=False,  # addresses may hold the token
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=1,
                h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            ),
            leaving,
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="monitor", daemon=True
        )
        self._thread.start()
        if not self._server.up.wait(START_S):
            self.stop()
            raise ConfigError("http", [f"the server on {self.bind}:{self.port} did not come up"])
        log.info("monitor listening", bind=self.bind, port=self.port)
        if not local:
            log.warning(
                "http.bind is open to the network: whoever reaches it reads metrics and health, "
                "and the live page's token crosses it in the clear; put a proxy with TLS in front",
                bind=self.bind,
                live_page="closed" if self._access.closed else "with the token",
            )

    def stop(self) -> None:
        """End all connections and the thread; twice is fine."""
        if self._server is None or self._thread is None:
            return
        self._server.leave()
        self._thread.join(STOP_S)
        self._server = self._thread = None

    def _app(self, leaving: asyncio.Event, *, local: bool) -> Guard:
        routes = [
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
            *Page(self._members, self._access, leaving).routes(),
        ]
        # Around everything: an answer to a defect needs its headers, too.
        return Guard(Starlette(routes=routes), local=local)

    async def _healthz(self, _: Request) -> Response:
        found = verdict(self._members())
        return JSONResponse(
            {
                "status": "alive" if found.alive else "failed",
                "reasons": [masked_start(fault) for fault in found.faults],
                "heartbeat_age_s": round(found.beat_age_s, 3),
            },
            200 if found.alive else 503,
        )

    async def _readyz(self, _: Request) -> Response:
        found = verdict(self._members())
        reasons = [masked_start(reason) for reason in (*found.faults, *found.waiting)]
        return JSONResponse(
            {"status": "waiting" if reasons else "ready", "reasons": reasons},
            503 if reasons else 200,
        )

    async def _metrics(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        registries = [member.registry for member in self._members() if member.registry is not None]
        return Response(
            encode(Merged([self._registry, *registries])), headers={"Content-Type": content_type}
        )


class _Server(uvicorn.Server):
    """Tells when it is up, and lets open event streams know that it leaves."""

    def __init__(self, config: uvicorn.Config, leaving: asyncio.Event) -> None:
        super().__init__(config)
        self.up = threading.Event()
        self._leaving = leaving
        self._running: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve from now on."""
        self._running = asyncio.get_running_loop()
        await super().startup(sockets)
        self.up.set()

    def leave(self) -> None:
        """End soon; from any thread."""
        if self._running is not None and not self._running.is_closed():
            self._running.call_soon_threadsafe(self._leaving.set)
        self.should_exit = True


def _listen(bind: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            bind, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise ConfigError(
            "http",
            [
                f"can't listen on {bind}:{port} ({error.strerror or error}); set http.bind and "
                "http.port to an address of this machine and a free port, or stop what uses it"
            ],
        ) from error
