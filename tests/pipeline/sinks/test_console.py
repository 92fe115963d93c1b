"""Outputs to the terminal."""

from __future__ import annotations

import io
import json
import os

import numpy as np
import pytest

from pipeline.block import Reject
from pipeline.errors import SinkError
from pipeline.sinks.console import ConsoleSink
from tests.pipeline.outputs import outputs, texts

BAD = Reject("rows", 0, 7, 0, b"m-1", b"{", "malformed", "no\nJSON")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """As a terminal does."""
        return True


def shown(stream: io.StringIO) -> list[str]:
    """The lines of a stream, without colours."""
    text = stream.getvalue()
    for colour in ("31", "33", "1", "2", "0"):
        text = text.replace(f"\033[{colour}m", "")
    return text.splitlines()


def test_programs_get_json_lines() -> None:
    """Outputs on one stream, dead letters on the other."""
    out, errors = io.StringIO(), io.StringIO()
    sink = ConsoleSink("rows", out=out, errors=errors)
    sink.open()
    sink.send(outputs([b"m-1", b"m-2"], score=np.zeros(2)))
    sink.reject([BAD])
    sink.flush()
    assert [json.loads(line)["stream"] for line in shown(out)] == ["m-1", "m-2"]
    assert json.loads(errors.getvalue())["cause"] == "malformed"


def test_people_get_lines_to_read() -> None:
    """Time, kind, stream and columns; alarms stand out."""
    out, errors = Terminal(), Terminal()
    sink = ConsoleSink("rows", out=out, errors=errors)
    sink.send(outputs([b"m-1"], "alarm", score=np.array([7.31415926]), cause=texts("vibration")))
    sink.send(outputs([b"m-1"], error=np.array([[0.5, 2.0]])))
    sink.reject([BAD])
    assert shown(out) == [
        "2025-11-21 10:00:00.123  alarm  m-1  score 7.314  cause vibration",
        "2025-11-21 10:00:00.123  score  m-1  error [0.5, 2]",
    ]
    assert shown(errors) == ["rejected rows-0-7 malformed: no\ufffdJSON"]
    assert "\033[31m" in out.getvalue().splitlines()[0]
    assert "\033[31m" not in out.getvalue().splitlines()[1]


def test_a_streams_name_cannot_command_the_terminal() -> None:
    """Names come from records: control characters are shown, not obeyed."""
    out = Terminal()
    ConsoleSink("rows", out=out).send(outputs([b"\x1b]0;title\x07m"], score=np.zeros(1)))
    assert "\x07" not in out.getvalue()
    assert "\x1b]" not in out.getvalue()


def test_a_broken_pipe_stops_the_run() -> None:
    """Nobody reads the outputs any more."""
    reading, writing = os.pipe()
    out = os.fdopen(writing, "w")
    sink = ConsoleSink("rows", out=out)
    os.close(reading)
    sink.send(outputs([b"m-1"], score=np.zeros(1)))
    with pytest.raises(SinkError, match=r"console.*Broken pipe"):
        sink.flush()
    sink.close()
    with pytest.raises(SinkError, match="Broken pipe"):
        sink.send(outputs([b"m-1"] * 1000, score=np.zeros(1000)))
    with pytest.raises(BrokenPipeError):
        out.close()


def test_people_are_spared_what_an_output_is_made_of() -> None:
    """A sentence is shown, and not each of its words with times."""
    out = Terminal()
    words = np.empty(1, np.object_)
    words[0] = [{"word": "go", "start_s": 0.1}]
    ConsoleSink("rows", out=out).send(outputs([b"m-1"], "final", text=texts("go"), words=words))
    assert shown(out) == ["2025-11-21 10:00:00.123  final  m-1  text go"]
