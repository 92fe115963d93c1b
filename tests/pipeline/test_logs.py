"""Logs: one JSON object a line, libraries at warning, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import structlog

from pipeline.logs import OWN, configure_logs


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """As a terminal does."""
        return True


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in OWN:
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The JSON objects written so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def log() -> Any:
    """A logger as a module of the pipeline makes it."""
    return structlog.get_logger("pipeline.test")


def test_a_stream_that_is_no_terminal_gets_json_lines() -> None:
    """Event, level, UTC time and named values, of numpy and bytes too."""
    out = io.StringIO()
    configure_logs("info", "auto", out)
    log().info("snapshot saved", partition=3, offset=np.int64(12), key=b"a\xff", text="x\ny")
    (line,) = lines(out)
    assert out.getvalue().count("\n") == 1
    assert line["event"] == "snapshot saved"
    assert line["level"] == "info"
    assert line["logger"] == "pipeline.test"
    assert (line["partition"], line["offset"], line["key"]) == (3, 12, "a\\xff")
    at = datetime.fromisoformat(line["timestamp"])
    assert at.tzinfo == UTC
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60


def test_a_terminal_gets_colours() -> None:
    """People read names and values, not JSON."""
    out = Terminal()
    configure_logs("info", "auto", out)
    log().info("snapshot saved", partition=3)
    assert "\x1b[" in out.getvalue()
    assert "snapshot saved" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_console_format_without_a_terminal_is_plain() -> None:
    """Asked for text in a file: no escape codes in it."""
    out = io.StringIO()
    configure_logs("info", "console", out)
    log().warning("slow", seconds=2)
    assert "\x1b[" not in out.getvalue()
    assert "seconds=2" in out.getvalue()


def test_json_format_on_a_terminal_is_json() -> None:
    """The format asked for wins over the terminal."""
    out = Terminal()
    configure_logs("info", "json", out)
    log().info("hello")
    assert lines(out)[0]["event"] == "hello"


@pytest.mark.parametrize(
    ("level", "shown"),
    [("debug", "dbiwe"), ("info", "biwe"), ("warning", "we"), ("error", "e")],
)
def test_level_bounds_our_own_logs(level: str, shown: str) -> None:
    """Structured and standard-library loggers of our packages obey the same level."""
    out = io.StringIO()
    configure_logs(level, "json", out)
    own = logging.getLogger("pipeline.other")
    log().debug("d")
    own.info("b")
    log().info("i")
    log().warning("w")
    log().error("e")
    assert "".join(line["event"] for line in lines(out)) == shown


def test_libraries_come_through_from_warnings_up() -> None:
    """Client libraries speak in the same form, and only when it matters."""
    out = io.StringIO()
    configure_logs("debug", "json", out)
    for name in ("kafka.conn", "uvicorn.error"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("node %s is away", 3)
    assert [(line["logger"], line["event"], line["level"]) for line in lines(out)] == [
        ("kafka.conn", "node 3 is away", "warning"),
        ("uvicorn.error", "node 3 is away", "warning"),
    ]


def test_unknown_level_is_refused() -> None:
    """With the levels that exist in the message."""
    with pytest.raises(ValueError, match="warning"):
        configure_logs("loud")


def test_configuring_again_replaces() -> None:
    """No line comes twice, and the new stream gets it."""
    first, second = io.StringIO(), io.StringIO()
    configure_logs("info", "json", first)
    logger = log()
    logger.info("one")
    configure_logs("error", "json", second)
    logger.info("two")
    logger.error("three")
    assert [line["event"] for line in lines(first)] == ["one"]
    assert [line["event"] for line in lines(second)] == ["three"]


SECRET = "hunter2-xyz"  # noqa: S105  # what must not be seen


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(
    "values",
    [
        {"password": SECRET},
        {"sasl_plain_password": SECRET},
        {"API_KEY": SECRET},
        {"authorization": f"Bearer {SECRET}"},
        {"config": {"sasl.password": SECRET, "list": [{"token": SECRET}]}},
        {"token": SECRET.encode()},
        {"url": f"http://127.0.0.1/?token={SECRET}&x=1"},
        {"broker": f"kafka://user:{SECRET}@host:9092"},
        {"camera": f"rtsp://user:a/b{SECRET}@c@host:9092/live"},
        {"text": f'{{"client_secret": "{SECRET}"}}'},
        {"text": f"Authorization: Bearer {SECRET}"},
        {"jaas": f'password="{SECRET}";'},
        {"cut": f'password="two words, {SECRET}'},
        {"long": f"{'token_' * 100}={SECRET}"},
        {"error": ValueError(f"password={SECRET} was refused")},
    ],
    ids=lambda values: next(iter(values)),
)
def test_secrets_are_masked(values: dict[str, object], style: Any) -> None:
    """By the name of the key at any depth, in texts, in addresses, in errors."""
    out = io.StringIO()
    configure_logs("info", style, out)
    log().info("connecting", **values, port=9092)
    assert SECRET not in out.getvalue()
    assert "***" in out.getvalue()
    assert "9092" in out.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets_in_tracebacks_and_library_messages_are_masked(style: Any) -> None:
    """Neither the exception's text nor a local variable gives them away."""
    out = io.StringIO()
    configure_logs("info", style, out)
    local = SECRET
    try:
        raise ValueError(f"sasl_password={local} is wrong")
    except ValueError:
        log().exception("refused")
        logging.getLogger("kafka").exception("refused too, token=%s", local)
    assert SECRET not in out.getvalue()
    assert "ValueError" in out.getvalue()
    assert out.getvalue().count("Traceback") == 2


def test_odd_values_do_not_break_the_line() -> None:
    """Huge integers, lone surrogates, NaN and objects still make one line of JSON."""
    out = io.StringIO()
    configure_logs("info", "json", out)
    log().info("odd", big=2**80, text="\ud800", nan=float("nan"), thing=object(), none=None)
    (line,) = lines(out)
    assert line["big"] == 2**80
    assert line["event"] == "odd"
