"""``streamcell listen``: words from files and a microphone, on a terminal and in a pipe."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from deploy.cli import app, main
from deploy.listen.lines import LinesSink
from deploy.listen.screen import Screen
from deploy.listen.tap import EndingSource, Level, Tap
from deploy.listen.text import bar, clock, decibels, printable, printable_lines
from pipeline.block import Block, KeyTable, Polled, Records, Reject
from pipeline.errors import BundleError, SinkError, SourceError
from pipeline.sources.microphone import Device, listing
from tests.pipeline.audio.sounds import write_wav
from tests.pipeline.audio.spelling import CHUNK, KEYWORDS, RATE, spelling_bundle, spoken
from tests.pipeline.bundles import anomaly_bundle
from tests.pipeline.sources.virtual_microphone import VirtualMicrophone, until
from tests.processes import gone_afterwards
from tests.shared import REPOSITORY


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """It spells words."""
    return spelling_bundle(tmp_path / "spelling.onnx")


def listen(*words: object) -> Result:
    """The command in this process."""
    return CliRunner().invoke(app, ["listen", *map(str, words)])


def test_a_file_is_heard_in_real_time(bundle: Path, tmp_path: Path) -> None:
    """A plain line for each final text, in a pipe; the last one comes with the end."""
    pause = np.zeros(10 * CHUNK, np.float32)
    samples = np.concatenate([spoken("hi you"), pause, spoken("bye")])
    path = write_wav(tmp_path / "talk.wav", samples[None], RATE)
    began = time.monotonic()
    done = listen(bundle, "--file", path)
    assert done.exit_code == 0, done.output
    assert time.monotonic() - began > len(samples) / RATE - 0.1
    assert [line.rpartition("  ")[0] for line in done.stdout.splitlines()] == [
        "0:00.0  talk  hi you",
        "0:00.9  talk  bye",
    ]


def test_channels_are_heard_side_by_side(tmp_path: Path) -> None:
    """Keywords are in brackets; nothing is left behind."""
    bundle = spelling_bundle(tmp_path / "keys.onnx", head=KEYWORDS)
    a, b = (spoken(word, 3) for word in "ab")
    quiet = np.zeros(10 * CHUNK, np.float32)
    both = np.stack([np.concatenate([a, quiet]), np.concatenate([quiet, b])])
    done = listen(bundle, "--file", write_wav(tmp_path / "desk.wav", both, RATE))
    found = sorted(line.split("  ")[1:3] for line in done.stdout.splitlines())
    assert found == [["desk.0", "[a]"], ["desk.1", "[b]"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["desk.wav", "keys.onnx"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_last_words(
    bundle: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """The word is not finished yet, the file goes on for minutes."""
    pause, drone = np.zeros(11 * CHUNK, np.float32), np.full(100 * RATE, 1 / 32, np.float32)
    samples = np.concatenate([spoken("ok"), pause, spoken("word"), drone])
    path = write_wav(tmp_path / "talk.wav", samples[None], RATE)
    with command(bundle, "--file", path, TMPDIR=str(tmp_path)) as process:
        assert process.stdout is not None
        assert "  talk  ok  (" in process.stdout.readline()
        time.sleep(1.0)  # of sound: it goes on by the clock
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "  talk  worda  (" in out
    assert not list(tmp_path.glob("streamcell-listen-*"))


def test_other_models_are_refused(tmp_path: Path) -> None:
    """With what serves them; and it needs one."""
    done = listen(anomaly_bundle(tmp_path / "m.onnx"))
    assert isinstance(done.exception, BundleError)
    assert "streamcell run" in str(done.exception)
    assert listen().exit_code == 2


def test_a_file_that_is_not_there_is_named(bundle: Path, tmp_path: Path) -> None:
    """As for every pipeline."""
    done = listen(bundle, "--file", tmp_path / "none.wav")
    assert isinstance(done.exception, SourceError)
    assert "none.wav" in str(done.exception)


def test_a_file_that_is_no_sound_is_told(bundle: Path, tmp_path: Path) -> None:
    """On standard error, and the others are heard."""
    write_wav(tmp_path / "in" / "good.wav", spoken("ok")[None], RATE)
    (tmp_path / "in" / "bad.wav").write_bytes(b"no sound")
    done = listen(bundle, "--file", tmp_path / "in")
    assert "  good  ok  (" in done.stdout
    assert "rejected:" in done.stderr
    assert "bad.wav" in done.stderr


@pytest.fixture
def microphone(tmp_path: Path) -> Iterator[VirtualMicrophone]:
    """A microphone without hardware."""
    (tmp_path / "mic").mkdir()
    server = VirtualMicrophone(tmp_path / "mic")
    yield server
    server.close()


@contextmanager
def command(*words: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, which is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy", "listen", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PULSE_SOURCE": "mono.monitor", **environment},
    )
    with gone_afterwards(process):
        yield process


def test_a_microphone_is_heard(microphone: VirtualMicrophone, bundle: Path) -> None:
    """At its own rate; a word that is being said when Ctrl-C is pressed comes too."""
    words = (bundle, "--device", "default", "--rate", 16_000)
    with command(*words, **microphone.environment) as process:
        until(lambda: microphone.recorded_by(1), "it records")
        # Twice as many samples: the device's rate is twice the model's. Chunks begin anywhere.
        microphone.play(np.repeat(spoken("hello world", 3), 2)[None])
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    (line,) = out.splitlines()
    assert line.split("  ")[1:3] == ["default", "hello world"]


def test_microphones_are_listed(microphone: VirtualMicrophone) -> None:
    """With the numbers and names that choose them."""
    with command("--list-devices", **microphone.environment) as process:
        out, _ = process.communicate(timeout=60)
    assert ": default (32 channels, 44100 Hz, the default)" in out


def test_an_unknown_microphone_ends_it(microphone: VirtualMicrophone, bundle: Path) -> None:
    """With those there are, and the exit code of sources."""
    with command(bundle, "--device", "kitchen", **microphone.environment) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == SourceError.exit_code
    assert "no microphone has 'kitchen' in its name; there are:" in errors


# What is drawn.


def records(kind: str, **columns: str | float) -> Records:
    """One output of stream ``desk``."""
    one = np.zeros(1, np.int64)
    cells = {}
    for name, cell in columns.items():
        cells[name] = np.empty(1, np.object_ if isinstance(cell, str) else np.float64)
        cells[name][0] = cell
    key = np.array([b"desk"], np.object_)
    narrow = one.astype(np.int32)
    return Records(kind, key, one, narrow, one, narrow, one, one == 0, cells)


def screen(levels: dict[str, Level], troubles: list[str]) -> tuple[Screen, io.StringIO]:
    """On a terminal that is a text."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    return Screen(console, lambda: levels, lambda: troubles), out


def drawn(one: Screen) -> str:
    """The live part of the picture."""
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as capture:
        console.print(one.picture())
    return capture.get()


def test_the_screen_shows_the_running_words_and_keeps_the_final_ones() -> None:
    """Partial words go when they are final, or withdrawn."""
    never = float("-inf")
    levels = {"desk": Level(0.1, 0.2, never)}
    view, out = screen(levels, [])
    view.open()
    view.send(records("partial", text="hello wor", start_s=61.04, end_s=2.0))
    assert "hello wor" in drawn(view)
    assert " -20" in drawn(view)
    view.send(records("final", text="hello world", start_s=61.04, end_s=2.0, confidence=0.91))
    assert "hello" not in drawn(view)
    view.send(records("partial", text="oh", start_s=61.0, end_s=2.0))
    view.send(records("partial", text="", start_s=61.0, end_s=2.0))
    assert "oh" not in drawn(view)
    view.send(records("keyword", keyword="stop", score=0.5, start_s=62.0, end_s=2.0))
    view.send(records("score", score=1.0))
    view.reject([Reject("t", 0, 0, 0, None, None, "malformed", "torn \x1b[2J file")])
    view.flush()
    view.close()
    view.close()
    kept = [line.strip() for line in out.getvalue().replace("\r", "\n").splitlines()]
    assert any(line.endswith("1:01.0  hello world  0.91") for line in kept)
    assert any(line.endswith("1:02.0  stop  0.50") for line in kept)
    assert any("torn \ufffd[2J file" in line for line in kept)


def test_the_screen_shows_levels_clipping_and_a_lost_microphone() -> None:
    """Of the streams heard last; ended ones are gone."""
    never, now = float("-inf"), time.monotonic()
    levels = {f"old{at}": Level(0.5, 0.5, never) for at in range(3)}
    levels |= {f"s{at}": Level(0.0, 0.0, never) for at in range(7)}
    levels |= {"loud": Level(1.0, 1.0, now), "gone": Level(0, 0, never, ended=True)}
    view, _ = screen(levels, ["microphone: lost: USB"])
    picture = drawn(view)
    assert "█" * 24 + "▏ CLIP" in picture
    assert "microphone: lost: USB" in picture
    assert not any(name in picture for name in ("old", "gone"))
    assert "s0" in picture


class OneBlock:
    """A source that has one block; nothing else of it is asked."""

    topic, replayable = "t", False

    def __init__(self, block: Block) -> None:
        self.block = block

    def poll(self, timeout_s: float) -> Polled:
        return Polled([self.block])


def test_levels_are_those_of_the_sound() -> None:
    """Of what the tap handed on; an ended stream says so."""
    places, narrow = np.arange(3), np.arange(3, dtype=np.int32)
    values = np.array([[0.5, -0.5, np.nan], [0.0, 1.0, 0.0], [0.0] * 3], np.float32)
    table = KeyTable([b"a", b"b", b"c"])
    block = Block(0, table, narrow, values, places, places, narrow, places, places == 2)
    tap = Tap(cast("EndingSource", OneBlock(block)))
    assert tap.poll(0).blocks == [block]
    assert (tap.levels["a"].rms, tap.levels["a"].peak) == (0.5, 0.5)
    assert [level.clipping for level in tap.levels.values()] == [False, True, False]
    assert [level.ended for level in tap.levels.values()] == [False, False, True]


def test_lines_that_nobody_reads_are_an_error() -> None:
    """The other end of the pipe is gone."""
    out = io.StringIO()
    sink = LinesSink(out, io.StringIO())
    sink.open()
    out.close()
    with pytest.raises(SinkError):
        sink.send(records("final", text="a", start_s=0.0, confidence=1.0))
    sink.close()


def test_texts_for_people() -> None:
    """Times, levels, and names that hold control characters."""
    assert [clock(s) for s in (-1, 0, 59.96, 61.04, 3725)] == [
        *("0:00.0", "0:00.0", "1:00.0", "1:01.0", "62:05.0")
    ]
    assert [round(decibels(level)) for level in (0, 1e-9, 0.1, 1)] == [-60, -60, -20, 0]
    assert [bar(level, 4) for level in (0, 0.001, 10 ** (-30 / 20), 1, 2)] == [
        *("    ", "    ", "██  ", "████", "████")
    ]
    assert printable("a\x1b[31mb\x9b") == "a\ufffd[31mb\ufffd"
    assert printable_lines("a\x1b\nb\r") == "a\ufffd\nb\ufffd"


EVIL = Device(0, "Mic\x1b]0;owned\x07", 1, 48_000, False)


def test_a_devices_name_writes_nothing_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in the list nor in an error that quotes it."""
    monkeypatch.setattr("deploy.commands.listen.input_devices", lambda: [EVIL])
    monkeypatch.setattr(sys, "argv", ["streamcell", "listen", "--list-devices"])
    with pytest.raises(SystemExit):
        main()
    listed = capsys.readouterr().out
    assert listed == "there are:\n  0: Mic\ufffd]0;owned\ufffd (1 channel, 48000 Hz)\n"

    def fails() -> list[Device]:
        raise SourceError(f"no such microphone; {listing([EVIL])}")

    monkeypatch.setattr("deploy.commands.listen.input_devices", fails)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == SourceError.exit_code
    told = capsys.readouterr().err
    assert "\x07" not in told
    assert "there are:\n  0: Mic\ufffd]0;owned\ufffd" in told
