"""A mosquitto that demands TLS and a login: who gets in, and what the others are told."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from pipeline.decode.float32_rows import Float32Rows
from pipeline.errors import SourceError
from pipeline.monitor.health import Vitals
from pipeline.sources.mqtt import MqttSource
from pipeline.sources.mqtt_access import MqttAccess
from tests.certificates import self_signed
from tests.mosquitto import Mosquitto
from tests.pipeline.sources.rigs import Desk, Reader
from tests.shared import missing

PASSWORD = "edge-secret"  # noqa: S105 - the test's own
SETTINGS = """\
allow_anonymous false
password_file {folder}/users
certfile {folder}/broker.pem
keyfile {folder}/broker.key
"""


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mosquitto, Path]]:
    """The broker, and the folder with the authorities: the broker's and a stranger's."""
    folder = tmp_path_factory.mktemp("secure-mosquitto")
    for name in ("broker", "other"):
        self_signed(folder, name)
    if shutil.which("mosquitto_passwd") is None:
        missing("needs mosquitto_passwd, which comes with mosquitto")
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", "users", "edge", PASSWORD],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=30,
    )
    broker = Mosquitto(folder, SETTINGS.format(folder=folder))
    try:
        yield broker.start(), folder
    finally:
        broker.stop()


def source_of(broker: Mosquitto, stop: threading.Event, **access: Any) -> MqttSource:
    """A source that is not opened yet."""
    return MqttSource(
        MqttAccess(broker.address, **access),
        Float32Rows(2),
        topic="plant/#",
        client_id="edge",
        dropped=lambda *_: None,
        vitals=Vitals(),
        stop=stop,
    )


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_who_has_the_authority_and_the_password_gets_in(
    secure: tuple[Mosquitto, Path], version: str
) -> None:
    """And is subscribed."""
    broker, folder = secure
    login = {"username": "edge", "password": PASSWORD, "ca_file": str(folder / "broker.pem")}
    source = source_of(broker, threading.Event(), tls=True, version=version, **login)
    reader = Reader(source, Desk())
    assert not reader.source.poll(0)
    reader.source.close()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"password": "wrong-secret"}, r"refuses the connection: .*security.*password_env"),
        ({"username": None, "password": None}, r"refuses the connection: .*source\.security"),
        ({"ca_file": "other.pem"}, r"CERTIFICATE_VERIFY_FAILED.*source\.security: tls, and ca_fi"),
    ],
    ids=["password", "nobody", "authority"],
)
def test_what_waiting_can_not_mend_is_an_error_with_the_key_to_look_at(
    secure: tuple[Mosquitto, Path], version: str, wrong: dict[str, str | None], told: str
) -> None:
    """It names the broker and repeats no secret, neither in the error nor in the log."""
    broker, folder = secure
    given = {"username": "edge", "password": PASSWORD, "ca_file": "broker.pem"} | wrong
    given["ca_file"] = str(folder / str(given["ca_file"]))
    source = source_of(broker, threading.Event(), tls=True, version=version, **given)
    with structlog.testing.capture_logs() as logs, pytest.raises(SourceError, match=told) as caught:
        source.open(Desk())
    source.close()
    assert broker.address in str(caught.value)
    for text in (str(caught.value), repr(logs)):
        assert "edge-secret" not in text
        assert "wrong-secret" not in text


def test_without_tls_the_log_says_what_may_be_missing(secure: tuple[Mosquitto, Path]) -> None:
    """A port of TLS gives no answer, as a broker that is not up yet: it is waited for."""
    broker, _ = secure
    stop = threading.Event()
    source = source_of(broker, stop, username="edge", password=PASSWORD)
    threading.Timer(1.0, stop.set).start()
    with structlog.testing.capture_logs() as logs, pytest.raises(SourceError, match="told to stop"):
        source.open(Desk())
    source.close()
    assert any("does it want source.security" in str(one.get("reason")) for one in logs)
