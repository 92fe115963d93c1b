"""A pipeline from MQTT to MQTT is killed while rows come: none is missing in the outputs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from datetime import datetime
from functools import partial
from pathlib import Path

from paho.mqtt.client import MQTTMessage

from tests.mosquitto import Mosquitto, Stranger, fresh_topic
from tests.recovery import rig

ROWS = 600
BEGAN_S = 1_700_000_000
CONFIG = """
[[pipeline]]
name = "plant"
model = "{bundle}"
commit_every_ms = 20
[pipeline.source]
type = "mqtt"
broker = "{broker}"
topic = "{topic}/+/readings"
time_field = "t"
[pipeline.state]
snapshot_every_s = 0.05
[pipeline.sink]
type = "mqtt"
topic = "{topic}/{{stream}}/scores"
[http]
port = 0
[log]
format = "json"
"""


def started(file: Path, log: Path) -> subprocess.Popen[bytes]:
    """``streamcell run``, once it reads."""
    count = log.read_bytes().count(b'"connected"') if log.exists() else 0
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy", "run", str(file)], stdout=out, stderr=out
        )
    deadline = time.monotonic() + rig.PATIENCE_S
    try:
        while log.read_bytes().count(b'"connected"') < count + 2:  # the source and the sink
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.02)
    except AssertionError:
        process.kill()
        process.wait(10)
        raise
    return process


def rows_of(messages: list[MQTTMessage]) -> set[int]:
    """The numbers of the rows that the outputs are about."""
    times = (datetime.fromisoformat(json.loads(one.payload)["time"]) for one in messages)
    return {round(time.timestamp()) - BEGAN_S for time in times}


def more_than(count: int, messages: list[MQTTMessage]) -> bool:
    """Whether so many outputs have come."""
    return len(messages) > count


def test_no_row_is_lost_when_the_process_is_killed(
    mosquitto: Mosquitto, bundle: Path, tmp_path: Path
) -> None:
    """What was not acknowledged comes again; what was sent meanwhile waits in the broker.

    A row that comes again, and that the restored state has seen, is late by its own time.
    """
    topic = fresh_topic()
    file, log = tmp_path / "p.toml", tmp_path / "log"
    file.write_text(CONFIG.format(bundle=bundle, broker=mosquitto.address, topic=topic))
    reader, dead = Stranger(mosquitto, f"{topic}/+/scores"), Stranger(mosquitto, f"{topic}/dead")
    feeder = Stranger(mosquitto)

    def feed() -> None:
        for at in range(ROWS):
            row = json.dumps({"t": BEGAN_S + at, "f0": at, "f1": 0.5, "f2": 0.25}).encode()
            feeder.publish(f"{topic}/m-{at % 3}/readings", row)
            time.sleep(0.002)  # a steady plant, for longer than a start takes

    process = started(file, log)
    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        for count in (50, 200):
            reader.until(partial(more_than, count))
            process.kill()
            process.wait(10)
            process = started(file, log)
        reader.until(lambda found: len(found) >= ROWS and rows_of(found) == set(range(ROWS)))
        causes = {json.loads(one.payload)["cause"] for one in dead.messages}
        assert causes <= {"late"}
        process.terminate()
        assert process.wait(30) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait(10)
        feeding.join(60)
        for stranger in (reader, dead, feeder):
            stranger.close()
