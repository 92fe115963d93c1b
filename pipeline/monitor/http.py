"""uvicorn's HTTP protocol with room for everybody: nobody's connections keep others out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.monitor.guesses import network_of

REQUEST_S = 10.0
MAX_CONNECTIONS = 256
MAX_OF_ONE_CLIENT = 32  # a proxy with all viewers, and as many connections for the rest


class TimedProtocol(H11Protocol):
    """Closes a connection whose request's head isn't complete within ``REQUEST_S``.

    uvicorn alone waits forever for the first request, and for the rest of a started one. Nor does
    it know whose connections they are: beyond a limit it refuses all, Prometheus and the health
    checks among them. Here a new connection is always let in, and the longest idle one of the
    client that has too many makes room for it.
    """

    _deadline: asyncio.TimerHandle | None = None
    _network = ""
    _heard_s = 0.0  # when the client last sent something, by the loop's clock

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Start the clock, and make room for this connection where there are too many."""
        super().connection_made(transport)
        self._network = network_of(self.client[0] if self.client is not None else "")
        self._heard_s = self.loop.time()
        self._make_room()
        self._start()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when the request is there, start it when only a part of it is."""
        self._heard_s = self.loop.time()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._deadline is None:
            self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def _start(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_S, self.transport.close)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _make_room(self) -> None:
        others = [
            one
            for one in cast("set[TimedProtocol]", self.connections)
            if one is not self and not one.transport.is_closing()
        ]
        client = self._network
        if sum(one._network == client for one in others) < MAX_OF_ONE_CLIENT:
            if len(others) < MAX_CONNECTIONS:
                return
            [(client, _)] = Counter(one._network for one in others).most_common(1)
        crowd = [one for one in others if one._network == client]
        longest_idle = min(crowd, key=lambda one: (one._serving, one._heard_s))
        # A client that does not read would keep a connection that is closed in order.
        longest_idle.transport.abort()

    @property
    def _serving(self) -> bool:
        """Whether an answer is under way, such as a viewer's events, and is being read."""
        under_way = self.cycle is not None and not self.cycle.response_complete
        return under_way and not self.flow.write_paused
