"""How to reach a Kafka broker, for both clients; and waiting for one that is down."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from pipeline.errors import ConfigError, StreamcellError

log = structlog.get_logger(__name__)

T = TypeVar("T")
# What the libraries say of logins, rights and certificates.
_LOGIN = re.compile(r"authenti|authoriz|certificate|sasl|\bssl", re.IGNORECASE)
LOGIN_HINT = "; look at source.security (sink.security where the sink has brokers of its own)"
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
ATTEMPT_S = 3.0  # how long one request may take before the broker counts as down
LONGEST_PAUSE_S = 5.0
FINDING_S = 1.0  # how long a missing topic is asked for again


class UnreachableError(Exception):
    """No broker answers now; waiting may mend it. Never leaves the source or the sink."""


@dataclass(frozen=True, slots=True)
class Access:
    """Address and credentials of a cluster.

    ``brokers`` is ``host:port`` or several, comma-separated. ``ca_file`` is the PEM file of the
    authority that signed the brokers' certificates (default: the system's). Raises ConfigError.
    """

    brokers: str
    security_protocol: str = "PLAINTEXT"
    ca_file: str | None = None
    sasl_mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        problems = []
        if not self.brokers.strip():
            problems.append("brokers is empty; give host:port")
        if self.security_protocol not in PROTOCOLS:
            problems.append(f"security_protocol must be one of {', '.join(PROTOCOLS)}")
        if self.security_protocol.startswith("SASL"):
            if self.sasl_mechanism not in MECHANISMS:
                problems.append(f"sasl_mechanism must be one of {', '.join(MECHANISMS)}")
            if not self.username or not self.password:
                problems.append("SASL needs username and password")
        if problems:
            raise ConfigError(f"Kafka at {self.brokers}", problems)

    def librdkafka(self) -> dict[str, Any]:
        """These settings by librdkafka's names."""
        settings: dict[str, Any] = {
            "bootstrap.servers": self.brokers,
            "security.protocol": self.security_protocol,
        }
        if self.ca_file and self.security_protocol.endswith("SSL"):
            settings["ssl.ca.location"] = self.ca_file
        if self.security_protocol.startswith("SASL"):
            settings |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        return settings

    def kafka_python(self) -> dict[str, Any]:
        """These settings by kafka-python's names."""
        settings: dict[str, Any] = {
            "bootstrap_servers": [part.strip() for part in self.brokers.split(",")],
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            settings["ssl_cafile"] = self.ca_file
        if self.security_protocol.startswith("SASL"):
            settings |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return settings


def with_hint(reason: str) -> str:
    """``reason``, and the table to look at where it is about TLS, a login or a right."""
    told = "security" in reason or not _LOGIN.search(reason)
    return reason if told else reason + LOGIN_HINT


class Patience:
    """Repeats a request until a broker answers it, and says in the log that it waits.

    ``stop`` ends the waiting: then ``error`` is raised.
    """

    def __init__(
        self, brokers: str, error: type[StreamcellError], stop: threading.Event | None = None
    ) -> None:
        self._brokers = brokers
        self._error = error
        self._stop = stop if stop is not None else threading.Event()

    def until_answered(self, what: str, attempt: Callable[[float], T]) -> T:
        """``attempt(timeout_s)``, as often as it raises UnreachableError."""
        began = time.monotonic()
        pause = 0.1
        while True:
            try:
                return attempt(ATTEMPT_S)
            except self._error as refusal:
                if type(refusal) is not self._error:
                    raise
                raise self._error(with_hint(str(refusal))) from refusal
            except UnreachableError as reason:
                log.warning(
                    "waiting for the broker",
                    brokers=self._brokers,
                    to=what,
                    reason=str(reason),
                    check="is it up, and does the port speak what the table `security` says?",
                    waited_s=round(time.monotonic() - began, 1),
                )
            if self._stop.wait(pause):
                raise self._error(f"{self._brokers}: told to stop while waiting to {what}")
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def until_found(self, what: str, attempt: Callable[[float], T]) -> T:
        """The same, and a moment longer while the answer is empty.

        A topic that was just made takes a moment to be known to every broker.
        """
        deadline = time.monotonic() + FINDING_S
        while True:
            found = self.until_answered(what, attempt)
            if found or time.monotonic() > deadline or self._stop.wait(FINDING_S / 10):
                return found
