"""A camera of the network that plays a film: motion JPEG over HTTP, in real time."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from deploy.demo.broker import free_port
from deploy.demo.tracking.film import FRAMES_PER_S
from deploy.demo.tracking.reels import Reel
from pipeline.block import Int64

BOUNDARY = "picture"


class Camera:
    """Plays ``reel`` again and again to whoever asks, by the clock, from ``time.time()`` ``began``.

    It can be switched off, which cuts all connections, and on again at the same address.
    """

    def __init__(self, reel: Reel, began: float) -> None:
        self.reel = reel
        self.began = began
        self.port = free_port()
        self.sent_us: Int64 = np.zeros(len(reel.pictures), np.int64)  # of the first playing; 0: not
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Where it is watched."""
        return f"http://127.0.0.1:{self.port}/{self.reel.place.name}.mjpg"

    def on(self) -> None:
        """Let it be watched; raises OSError where its port was taken by another meanwhile."""
        if self._server is None:
            self._server = _Server(self)

    def off(self) -> None:
        """Cut it off, as where its plug is pulled; twice is fine."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, camera: Camera) -> None:
        super().__init__(("127.0.0.1", camera.port), _Handler)
        self.camera = camera
        self.stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.05,), name=f"camera-{camera.port}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()
        self.stopped.set()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # gone already

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Note the connection, so that it can be cut."""
        assert isinstance(request, socket.socket)  # noqa: S101 - what a TCP server accepts
        self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: the other side may go whenever it likes."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Send picture after picture until the other side or the camera goes."""
        camera = self.server.camera
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        number = int((time.time() - camera.began) * FRAMES_PER_S)
        while True:
            number += 1
            if self.server.stopped.wait(
                max(0.0, camera.began + number / FRAMES_PER_S - time.time())
            ):
                return
            self._send(number)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing."""

    def _send(self, number: int) -> None:
        camera = self.server.camera
        pictures = camera.reel.pictures
        picture = pictures[number % len(pictures)]
        if number < len(pictures) and not camera.sent_us[number]:
            camera.sent_us[number] = round(time.time() * 1e6)
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
        self.wfile.write(head.encode() + picture + b"\r\n")
