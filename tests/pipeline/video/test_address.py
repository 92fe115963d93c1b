"""Kinds of addresses, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.video.address import address_of, kind_of, without_secrets


@pytest.mark.parametrize(
    ("text", "kind", "live"),
    [
        ("rtsp://host/a", "network", True),
        ("HTTP://host/a", "network", True),
        ("udp://239.0.0.1:1234", "network", True),
        ("/dev/video0", "device", True),
        ("clips/a.mp4", "file", False),
        ("/clips/a.mp4", "file", False),
        (" rtsp://host/a ", "network", True),
        ("\t/dev/video0", "device", True),
    ],
)
def test_an_address_tells_what_it_is(text: str, kind: str, live: bool) -> None:
    """Files' paths start at the folder of the configuration."""
    address = address_of(text, Path("/etc/cell"))
    assert (address.kind, address.live) == (kind, live)
    if text == "clips/a.mp4":
        assert address.url == address.shown == "/etc/cell/clips/a.mp4"
    if text == "HTTP://host/a":
        assert address.url == "http://host/a"


@pytest.mark.parametrize("text", ["ftp://host/a", "file:///a.mp4", "gopher://u:secret@h"])
def test_other_protocols_are_refused(text: str) -> None:
    """With those that there are, and without what may be secret."""
    with pytest.raises(ValueError, match="rtsp://, rtsps://, http://, https://, udp://") as error:
        kind_of(text)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://host:554/h264?token=secret", "rtsp://host:554"),
        ("rtsp://user:secret@host:554/secret", "rtsp://host:554"),
        ("rtsp://user:sec@ret@host/", "rtsp://host"),
        ("http://[::1]:80/x", "http://[::1]:80"),
        ("http://secret@host?secret", "http://host"),
        ("rtsp://user:secret/secret@host/x", "rtsp://…"),
        ("rtsp://user:secret?secret@host/x", "rtsp://…"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
    ],
)
def test_only_protocol_and_host_are_shown(url: str, shown: str) -> None:
    """Passwords may stand anywhere else."""
    assert without_secrets(url) == shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "rtsp:/admin:secret@host/1",
        "rtsp//admin:secret@host/1",
        "admin:secret@host/1",
        "rtsp:admin:secret@host",
        "RTSP:/host/1?password=secret",
        "http//host/secret",
    ],
)
def test_a_mistyped_address_is_not_repeated(text: str, tmp_path: Path) -> None:
    """It is taken for no file, unless there is one of this name."""
    with pytest.raises(ValueError, match="there is no such file, and a network") as error:
        address_of(text, tmp_path)
    assert "secret" not in str(error.value)
    path = tmp_path / text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert address_of(text, tmp_path).kind == "file"


def test_blanks_around_an_address_do_not_count() -> None:
    """With them it would be a file, whose name is told."""
    address = address_of(" rtsp://admin:secret@host/1\n", Path("/"))
    assert (address.url, address.shown) == ("rtsp://admin:secret@host/1", "rtsp://host")
