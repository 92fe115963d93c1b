"""Wrong tokens, counted by address: who guesses has to wait."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

MOST = 10  # wrong tokens of one address within the time below
WINDOW_S = 60.0
MAX_ADDRESSES = 1024  # beyond, those heard of longest ago are forgotten
IPV6_PREFIX = 64  # one user has as many addresses below it as he likes


class Guesses:
    """Counts wrong tokens. Used from the server's thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, first one's time

    def wait_s(self, host: str) -> float:
        """How long tokens of this address are not looked at any more; 0 where they are."""
        count, began = self._wrong.get(network_of(host), (0, 0.0))
        left = began + WINDOW_S - self._clock()
        return left if count >= MOST and left > 0 else 0.0

    def wrong(self, host: str) -> None:
        """A wrong token came from this address."""
        network = network_of(host)
        count, began = self._wrong.pop(network, (0, 0.0))
        now = self._clock()
        if now - began >= WINDOW_S:
            count, began = 0, now
        self._wrong[network] = (count + 1, began)
        if count + 1 == MOST:
            log.warning("too many wrong tokens", address=network, wait_s=WINDOW_S)
        while len(self._wrong) > MAX_ADDRESSES:
            self._wrong.popitem(last=False)


def network_of(host: str) -> str:
    """Whose address it is: of IPv6 the user's network, which he has as many addresses in."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
