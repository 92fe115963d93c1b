"""How to reach an MQTT broker: address, TLS, login."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import Literal

from pipeline.errors import ConfigError

Version = Literal["5", "3.1.1"]
PORT, TLS_PORT = 1883, 8883
_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]]+)(?::([0-9]{1,5}))?")


def broker_problem(text: str) -> str | None:
    """Why ``text`` is no ``host`` or ``host:port``; it is not repeated, as it may hold a login."""
    found = _BROKER.fullmatch(text)
    if found is None or (found[2] is not None and not 0 < int(found[2]) < 65_536):
        return "give host or host:port, without mqtt:// and without a login"
    return None


@dataclass(frozen=True, slots=True)
class MqttAccess:
    """Address and credentials of a broker; ``table`` names the configuration's in messages.

    ``broker`` is ``host[:port]``, ``ca_file`` the PEM file of the authority that signed its
    certificate (default: the system's). Raises ConfigError.
    """

    broker: str
    version: Version = "5"
    tls: bool = False
    ca_file: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    table: str = "source"

    def __post_init__(self) -> None:
        if problem := broker_problem(self.broker):
            raise ConfigError("MQTT", [f"{self.table}.broker: {problem}"])

    @property
    def host(self) -> str:
        """The name or address alone."""
        return self._parts()[0]

    @property
    def port(self) -> int:
        """The port, or that which is usual."""
        return self._parts()[1]

    @property
    def shown(self) -> str:
        """The broker as messages name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def context(self) -> ssl.SSLContext | None:
        """What checks the broker's certificate; None without TLS. Raises ConfigError."""
        if not self.tls:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # also that of a file that holds no certificate
            reason = error.strerror or str(error)
            problem = f"{self.table}.security.ca_file: can't read {self.ca_file}: {reason}"
            raise ConfigError(f"MQTT broker {self.shown}", [problem]) from error

    def _parts(self) -> tuple[str, int]:
        host, colon, port = self.broker.rpartition(":")
        if not colon or self.broker.endswith("]"):
            host, port = self.broker, str(TLS_PORT if self.tls else PORT)
        return host.strip("[]"), int(port)
