"""The live page: its files, its data as server-sent events, pictures, the search for streams."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pipeline.monitor.access import Access
from pipeline.monitor.cursor import Cursor
from pipeline.monitor.live import LiveView
from pipeline.monitor.members import Members
from pipeline.monitor.overview import Overview, crew
from pipeline.monitor.sights import Glance

EVERY_S = 1.0
GLANCE_S = 0.2  # the same of what cameras show
MAX_VIEWERS = 16
MAX_DIGITS = 18
JPEG = "image/jpeg"
BYE = b"event: bye\ndata: {}\n\n"
STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


class Page:
    """Answers what needs the token. ``leaving`` is set when the server is about to stop."""

    def __init__(self, members: Members, access: Access, leaving: asyncio.Event) -> None:
        self._members = members
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
            Route("/picture", self._picture),
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
        view = self._view(request.query_params.get("pipeline", ""))
        found = [] if view is None else view.search(request.query_params.get("q", ""))
        return JSONResponse({"streams": found})

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
        query = request.query_params
        if "overview" in query:
            return StreamingResponse(
                self._overview(), media_type="text/event-stream", headers=headers
            )
        glance = Glance(query.get("camera", ""), query.get("pictures") != "no")
        return StreamingResponse(
            self._events(query.get("pipeline", ""), query.get("stream") or None, glance),
            media_type="text/event-stream",
            headers=headers,
        )

    async def _picture(self, request: Request) -> Response:
        """The picture of a camera at a time that the events told of; nothing where it is gone."""
        if refusal := self._access.refusal(request):
            return refusal
        view = self._view(request.query_params.get("pipeline", ""))
        sights, moment = None if view is None else view.sights, request.query_params.get("t", "")
        shown = request.query_params.get("camera", "")
        camera = None if sights is None else sights.find(shown)
        if sights is None or camera is None:
            return PlainTextResponse("no such camera\n", 404)
        if not (moment.isascii() and moment.isdigit() and len(moment) <= MAX_DIGITS):
            return PlainTextResponse("t is no time in microseconds\n", 400)
        found = await run_in_threadpool(sights.jpeg, camera, int(moment))
        return Response(status_code=204) if found is None else Response(found, 200, None, JPEG)

    def _view(self, pipeline: str) -> LiveView | None:
        """The view of a pipeline, "" is the first; None where there is none at the moment."""
        for member in self._members():
            if pipeline in ("", member.name):
                return member.view
        return None

    async def _overview(self) -> AsyncIterator[bytes]:
        """What changed in all pipelines, once a second, until the viewer or the server goes."""
        self._viewers += 1
        try:
            overview = Overview(self._members)
            yield b"retry: 1000\n\n"
            while not self._leaving.is_set():
                yield b"event: overview\n" + _event(overview.changes())
                await self._left(EVERY_S)
            yield BYE
        finally:
            self._viewers -= 1

    async def _left(self, wait_s: float) -> None:
        """Wait, but no longer than until the server is about to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), wait_s)

    async def _events(
        self, pipeline: str, focus: str | None, glance: Glance
    ) -> AsyncIterator[bytes]:
        """What changed, once a second, until the viewer or the server goes.

        In between, as ``sights``, what changed in the pictures of cameras; as ``crew`` how the
        pipelines stand where the one that is looked at has nothing to show yet.
        """
        self._viewers += 1
        try:
            cursor = Cursor(glance=glance)
            yield b"retry: 1000\n\n"
            due = time.monotonic()
            while not self._leaving.is_set():
                # A pipeline that was started again has another view.
                view = self._view(pipeline)
                sights = None if view is None else view.sights
                if time.monotonic() >= due or sights is None:
                    due = time.monotonic() + EVERY_S
                    told = crew(self._members())
                    if view is None:
                        yield b"event: crew\n" + _event(told)
                    else:
                        yield _event(view.changes(cursor, focus) | told)
                elif (seen := sights.read(glance, full=False))["cameras"]:
                    yield b"event: sights\n" + _event(seen)
                await self._left(EVERY_S if sights is None else min(EVERY_S, GLANCE_S))
            yield BYE
        finally:
            self._viewers -= 1


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n\n"
