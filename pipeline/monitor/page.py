"""The live page: its files, its data as server-sent events, and the search for streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pipeline.monitor.access import Access
from pipeline.monitor.live import Cursor, LiveView

EVERY_S = 1.0
MAX_VIEWERS = 16
STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


class Page:
    """Answers what needs the token. ``leaving`` is set when the server is about to stop."""

    def __init__(self, view: LiveView, access: Access, leaving: asyncio.Event) -> None:
        self._view = view
        self._access = access
        self._leaving = leaving
        self._viewers = 0
        self._files = {
            path.name: (path.read_bytes(), TYPES[path.suffix])
            for path in STATIC.iterdir()
            if path.suffix in TYPES
        }

    def routes(self) -> list[Route]:
        """Where it answers."""
        return [
            Route("/", self._index),
            Route("/static/{file}", self._static),
            Route("/streams", self._streams),
            Route("/live", self._live),
        ]

    async def _index(self, request: Request) -> Response:
        if refusal := self._access.refusal(request):
            return refusal
        page, content_type = self._files["index.html"]
        response = Response(page, media_type=content_type)
        # No redirect to an address without the token: after a click in a mail program the
        # browser would not send a strict cookie along. The page itself drops it from the address.
        self._access.remember(request, response)
        return response

    async def _static(self, request: Request) -> Response:
        if refusal := self._access.refusal(request):
            return refusal
        found = self._files.get(request.path_params["file"])
        if found is None:
            return PlainTextResponse("no such file\n", 404)
        return Response(found[0], media_type=found[1], headers={"Cache-Control": "no-cache"})

    async def _streams(self, request: Request) -> Response:
        if refusal := self._access.refusal(request):
            return refusal
        return JSONResponse({"streams": self._view.search(request.query_params.get("q", ""))})

    async def _live(self, request: Request) -> Response:
        if refusal := self._access.refusal(request):
            return refusal
        if self._viewers >= MAX_VIEWERS:
            return PlainTextResponse(
                f"{MAX_VIEWERS} viewers are connected already\n", 503, {"Retry-After": "10"}
            )
        headers = {"X-Accel-Buffering": "no"}  # a proxy in between must pass events on at once
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=headers)
        focus = request.query_params.get("stream") or None
        return StreamingResponse(
            self._events(focus), media_type="text/event-stream", headers=headers
        )

    async def _events(self, focus: str | None) -> AsyncIterator[bytes]:
        """What changed, once a second, until the viewer or the server goes."""
        self._viewers += 1
        try:
            cursor = Cursor()
            yield b"retry: 1000\n\n"
            while not self._leaving.is_set():
                changes = self._view.changes(cursor, focus)
                data = orjson.dumps(changes, option=orjson.OPT_SERIALIZE_NUMPY)
                yield b"data: " + data + b"\n\n"
                try:
                    await asyncio.wait_for(self._leaving.wait(), EVERY_S)
                except TimeoutError:
                    continue
            yield b"event: bye\ndata: {}\n\n"
        finally:
            self._viewers -= 1
