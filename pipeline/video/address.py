"""What kind of camera an address is, and how it may be told to people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["file", "device", "network"]

SCHEMES = ("rtsp", "rtsps", "http", "https", "udp")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# What a file's name hardly ever has, and a mistyped address does: its secrets are told to nobody.
_MISTYPED = re.compile(r"@|^(rtsps?|https?|udp)[:/]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a camera's pictures come from.

    ``url`` is what is opened, and may hold a password; ``shown`` is what logs and errors say.
    """

    url: str
    shown: str
    kind: Kind

    @property
    def live(self) -> bool:
        """Whether it is filming now; a file is not."""
        return self.kind != "file"


def kind_of(text: str) -> Kind:
    """What an address is; raises ValueError for a protocol that no camera here speaks."""
    text = text.strip()
    scheme = _SCHEME.match(text)
    if scheme is not None:
        if scheme[1].lower() not in SCHEMES:
            known = ", ".join(f"{name}://" for name in SCHEMES)
            raise ValueError(f"{scheme[1]}:// is no protocol of cameras here: take {known}")
        return "network"
    return "device" if text.startswith("/dev/") else "file"


def address_of(text: str, directory: Path) -> Address:
    """The address ``text``; a file's path starts at ``directory``.

    Raises ValueError as ``kind_of``, and for what looks like a mistyped address.
    """
    text = text.strip()
    kind = kind_of(text)
    if kind == "network":
        scheme, _, rest = text.partition("://")
        url = f"{scheme.lower()}://{rest}"  # the library knows no other
        return Address(url, without_secrets(url), kind)
    path = str(directory / text)
    if kind == "file" and _MISTYPED.search(text) and not Path(path).is_file():
        raise ValueError(
            "there is no such file, and a network address begins with rtsp://, rtsps://, http://, "
            "https:// or udp:// (it is not repeated here, as it may hold a password)"
        )
    return Address(path, path, kind)


def without_secrets(url: str) -> str:
    """The protocol and the host of ``url``: users, passwords, paths and queries may be secret."""
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest[len(host) :]:
        # A password with one of these characters in it, or a path with an @: nobody can tell.
        return f"{scheme}://…"
    return f"{scheme}://{host.rpartition('@')[2]}"
