"""Cameras without hardware, on loopback: MJPEG over HTTP, RTSP, MPEG-TS over UDP."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from tests.pipeline.video.clips import jpeg, picture
from tests.shared import missing

HOST = "127.0.0.1"
PYTHON = "/usr/bin/python3"  # has GStreamer's bindings where the distribution installed them
GSTREAMER = "import gi; gi.require_version('GstRtspServer', '1.0')"
WAIT_S = 20.0
DATAGRAM = 1316


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that nobody listens on."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class MjpegCamera:
    """Sends pictures with rising numbers to every client, ``fps`` a second.

    ``width``, ``frozen`` and ``plant`` change what is sent from the next picture on.
    """

    def __init__(self, fps: float = 50.0, colour: int = 0, path: str = "/cam.mjpg") -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}{path}"
        self.width, self.frozen, self.silent = 128, False, False
        self.sent = self.clients = 0
        self.requests: list[bytes] = []
        self._fps, self._colour = fps, colour
        self._garbage = b""
        self._number = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self.start()

    def start(self) -> None:
        """Listen, again on the same port."""
        self._stopped = threading.Event()
        listener = socket.create_server((HOST, self.port))
        listener.settimeout(0.02)
        self._begin(self._accept, listener)

    def stop(self) -> None:
        """As if it had died."""
        self._stopped.set()
        while self._threads:
            self._threads.pop().join(WAIT_S)

    def plant(self, garbage: bytes) -> None:
        """Send this once, between two pictures."""
        with self._lock:
            self._garbage = garbage

    def _begin(self, run: object, *arguments: socket.socket) -> None:
        assert callable(run)
        thread = threading.Thread(target=run, args=(*arguments, self._stopped), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, stopped: threading.Event) -> None:
        with listener:
            while not stopped.is_set():
                with suppress(TimeoutError):
                    client, _ = listener.accept()
                    self._begin(self._serve, client)

    def _serve(self, client: socket.socket, stopped: threading.Event) -> None:
        with client, suppress(OSError):
            self.requests.append(client.recv(65536))
            self.clients += 1
            kind = b"multipart/x-mixed-replace;boundary=ffmpeg"
            client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: " + kind + b"\r\n\r\n--ffmpeg\r\n")
            while not stopped.wait(1 / self._fps):
                if not self.silent:
                    client.sendall(self._part())

    def _part(self) -> bytes:
        with self._lock:
            if not self.frozen:
                self._number = (self._number + 1) % 256
            garbage, self._garbage = self._garbage, b""
            data = jpeg(picture(self._number, self.width, colour=self._colour))
            self.sent += 1
        head = b"Content-type: image/jpeg\r\nContent-length: %d\r\n\r\n" % len(data)
        return garbage + head + data + b"\r\n--ffmpeg\r\n"


class UdpCamera:
    """Sends a transport stream over UDP evenly within ``seconds``, in a thread."""

    def __init__(self) -> None:
        self.port = free_port(socket.SOCK_DGRAM)
        self.url = f"udp://{HOST}:{self.port}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, stream: bytes, seconds: float) -> None:
        """Send all of it."""
        began, count = time.monotonic(), -(-len(stream) // DATAGRAM)
        for at in range(count):
            time.sleep(max(0.0, began + seconds * at / count - time.monotonic()))
            datagram = stream[at * DATAGRAM : (at + 1) * DATAGRAM]
            self._socket.sendto(datagram, (HOST, self.port))

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


class RtspCamera:
    """GStreamer's RTSP server in a process of its own; ``mounts`` as ``rtsp_server`` takes them."""

    def __init__(self, mounts: Iterable[str]) -> None:
        probe = [PYTHON, "-c", GSTREAMER]
        if (
            not Path(PYTHON).exists()
            or subprocess.run(probe, capture_output=True, timeout=WAIT_S).returncode
        ):
            missing(
                "needs GStreamer's RTSP server (apt install gir1.2-gst-rtsp-server-1.0 python3-gi "
                "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly)"
            )
        self.port = free_port()
        self.start(mounts)

    def url(self, name: str) -> str:
        """A mount's address."""
        return f"rtsp://{HOST}:{self.port}/{name}"

    def start(self, mounts: Iterable[str]) -> None:
        """Serve, again on the same port."""
        script = Path(__file__).with_name("rtsp_server.py")
        self._process = subprocess.Popen(
            [PYTHON, str(script), str(self.port), *mounts],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        """As if it had died."""
        self._process.kill()
        self._process.communicate(timeout=WAIT_S)


class FfmpegCamera(AbstractContextManager["FfmpegCamera"]):
    """An ffmpeg that sends until it is killed."""

    def __init__(self, words: Iterable[str]) -> None:
        program = shutil.which("ffmpeg")
        if program is None:
            missing("needs ffmpeg (apt install ffmpeg)")
        command = [str(program), "-v", "error", *words]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)

    def kill(self) -> None:
        """As if it had died."""
        self._process.kill()
        self._process.wait(WAIT_S)

    def __exit__(self, *error: object) -> None:
        self.kill()
