"""Making clients of kafka-python, and what their errors mean for a source or a sink."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import kafka.errors

from pipeline.sources.kafka_access import UnreachableError

_ONE_AT_A_TIME = threading.Lock()  # or a client would hear what another one is told


def connect(make: Callable[..., Any], settings: dict[str, Any], timeout_s: float) -> Any:
    """``make(**settings)``, a client of kafka-python.

    Raises UnreachableError where no broker accepts a connection (a client that is made then
    leaves a thread behind), and SaslAuthenticationFailedError where a login is refused.
    """
    _probe(settings["bootstrap_servers"], timeout_s)
    logger = logging.getLogger("kafka.net.manager")
    with _ONE_AT_A_TIME:
        refusals = _Refusals()
        logger.addHandler(refusals)
        try:
            return make(**settings)
        except kafka.errors.KafkaError as error:
            if refusals.reason is not None:
                raise kafka.errors.SaslAuthenticationFailedError(refusals.reason) from error
            raise
        finally:
            logger.removeHandler(refusals)


def _probe(addresses: Sequence[str], timeout_s: float) -> None:
    reasons = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
        except (OSError, ValueError) as error:
            reasons.append(f"{address}: {error}")
        else:
            return
    raise UnreachableError("; ".join(reasons))


class _Refusals(logging.Handler):
    """Hears of refused logins: a client repeats them and in the end only tells of a timeout.

    Other clients of the process log to the same place, from threads that were there before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reason: str | None = None
        self._others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread in self._others:
            return
        message = record.getMessage()
        if "AuthenticationFailed" in message or "CERTIFICATE_VERIFY_FAILED" in message:
            self.reason = message


def passes(error: Exception) -> bool:
    """Whether waiting may mend an error of kafka-python."""
    return isinstance(error, kafka.errors.RetriableError)


def text_of(error: Exception) -> str:
    """What an error of kafka-python says."""
    return f"{type(error).__name__}: {error}"
