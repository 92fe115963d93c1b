"""What people are told of a broker that refuses, or does not answer."""

from __future__ import annotations

import threading

import pytest
import structlog

from pipeline.errors import FencedError, SinkError, SourceError, StreamcellError
from pipeline.sources.kafka_access import Patience, UnreachableError


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("b:1: SASL authentication error: invalid credentials", True),
        ("b:1: Broker: Topic authorization failed", True),
        ("b:1: CERTIFICATE_VERIFY_FAILED", True),
        ("b:1: refused; look at sink.security: certificate", False),
        ("b:1: there is no topic 'rows'", False),
    ],
)
@pytest.mark.parametrize("error", [SourceError, SinkError])
def test_a_refused_login_names_the_table_to_look_at(
    error: type[StreamcellError], reason: str, hint: bool
) -> None:
    """Whichever library words it; what is told already, or about something else, is left alone."""

    def refused(_: float) -> None:
        raise error(reason)

    with pytest.raises(error) as caught:
        Patience("b:1", error).until_answered("read", refused)
    assert str(caught.value).startswith(reason)
    assert ("look at source.security" in str(caught.value)) == hint


def test_being_fenced_stays_what_it_is() -> None:
    """Whoever restarts pipelines has to tell it apart."""

    def fenced(_: float) -> None:
        raise FencedError("authorization of another")

    with pytest.raises(FencedError, match=r"another$"):
        Patience("b:1", SinkError).until_answered("begin", fenced)


def test_waiting_says_what_to_check() -> None:
    """A port that speaks TLS looks like a broker that is down."""
    stop = threading.Event()

    def silent(_: float) -> None:
        stop.set()
        raise UnreachableError("Broker transport failure")

    with structlog.testing.capture_logs() as logs, pytest.raises(SourceError, match="told to stop"):
        Patience("b:1", SourceError, stop).until_answered("read", silent)
    (line,) = logs
    assert line["reason"] == "Broker transport failure"
    assert "`security`" in line["check"]
