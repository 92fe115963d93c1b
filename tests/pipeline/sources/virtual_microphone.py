"""A microphone without hardware: a PulseAudio server of the test's own, and a process that records.

The server has two sinks whose monitors are inputs: ``mono`` and ``stereo``. What is played on one
comes out of its monitor, sample for sample. Neither reads or writes a file of the user's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.block import Float32
from tests.pipeline.audio.sounds import write_wav
from tests.shared import REPOSITORY, missing

RATE = 16_000
CHUNK = 320  # samples of a row, unless told otherwise
PAD = 6400
WAIT_S = 60.0
ALSA = "pcm.!default {type pulse}\nctl.!default {type pulse}\npcm.pulse {type pulse}\n"


class VirtualMicrophone:
    """The server; ``stop`` and ``start`` are a device that is unplugged and comes back."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("pulseaudio") or not shutil.which("paplay"):
            missing("needs PulseAudio (apt install pulseaudio pulseaudio-utils)")
        if not find_library("portaudio"):
            missing("needs PortAudio (apt install libportaudio2 libasound2-plugins)")
        # The socket's path must be short, which a test's folder is not.
        self._runtime = tempfile.mkdtemp(prefix="pulse")
        self.folder = folder
        (folder / ".asoundrc").write_text(ALSA)
        (folder / "client.conf").write_text("autospawn = no\n")
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": self._runtime,
            "PULSE_RUNTIME_PATH": self._runtime,
            "PULSE_CLIENTCONFIG": str(folder / "client.conf"),
        }
        self._server: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Plug it in."""
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1"]
        command += ["--disable-shm=yes", "--use-pid-file=no"]
        for name, channels in (("mono", 1), ("stereo", 2)):
            sink = f"sink_name={name} rate={RATE} channels={channels} format=s16le"
            command += ["-L", f"module-null-sink {sink}"]
        command += ["-L", "module-native-protocol-unix"]
        with (self.folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        until(lambda: self._control("info").returncode == 0, "PulseAudio answers")

    def stop(self) -> None:
        """Unplug it."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(WAIT_S)
            self._server = None

    def close(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._runtime, ignore_errors=True)

    def play(self, samples: Float32) -> None:
        """Play ``samples [channels, n]`` on the sink of as many channels; returns at their end.

        With silence around them: the server drops some of what it plays first and last.
        """
        around = np.pad(samples, ((0, 0), (PAD, PAD)))
        path = write_wav(self.folder / "played.wav", around, RATE)
        sink = "mono" if len(samples) == 1 else "stereo"
        command = ["paplay", f"--device={sink}", str(path)]
        subprocess.run(command, env=self.environment, check=True, timeout=WAIT_S)

    def recorded_by(self, programs: int) -> bool:
        """Whether so many programs record now."""
        found = self._control("list", "short", "source-outputs").stdout
        return len(found.splitlines()) == programs

    def recorder(self, **options: Any) -> Recorder:
        """A process that records from a source with these options."""
        return Recorder(self, options)

    def _control(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        command = ["pactl", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, check=False, timeout=WAIT_S
        )


class Recorder:
    """A process of its own that polls a microphone's source, as ``recorder_process`` does.

    PortAudio's threads live there, and what they do to a process when their server dies.
    """

    def __init__(self, microphone: VirtualMicrophone, options: dict[str, Any]) -> None:
        self._out = microphone.folder / "recorded.npz"
        channels = options.get("channels", 1)
        monitor = "mono.monitor" if channels == 1 else "stereo.monitor"
        self.log = (microphone.folder / "recorder.log").open("wb")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.pipeline.sources.recorder_process"),
                *(str(self._out), json.dumps(options)),
            ],
            env={**microphone.environment, "PULSE_SOURCE": monitor},
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        self.state: dict[str, Any] = {}

    def until(self, done: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until the process tells a state that is ``done``."""

        def told() -> bool:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, Path(self.log.name).read_text()
            self.state = json.loads(line)
            return done(self.state)

        until(told, what, pause_s=0)
        return self.state

    def recording(self) -> None:
        """Wait until rows come."""
        rows = self.state.get("rows", 0)
        self.until(lambda state: state["rows"] > rows, "rows come")

    def tell(self, word: str) -> None:
        """``end``: end the streams and stop; ``stall``: do not poll for a second."""
        assert self.process.stdin is not None
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """End the recording: its rows as arrays, its ``dropped`` and ``waits``."""
        self.tell("end")
        self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode == 0, Path(self.log.name).read_text()
        self.log.close()
        with np.load(self._out, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}

    def close(self) -> None:
        """Kill it, if it is still there."""
        self.process.kill()
        self.process.communicate(timeout=WAIT_S)
        self.log.close()


def until(done: Callable[[], bool], what: str, pause_s: float = 0.02) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline, f"waited {WAIT_S:g} s in vain: {what}"
        time.sleep(pause_s)


def lag(recorded: Float32, played: Float32) -> int:
    """Where in ``recorded [n]`` the sound ``played [m]`` begins, by their cross-correlation."""
    size = len(recorded) + len(played)
    spectrum = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(played, size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[: len(recorded)]))
