"""Apache Kafka's own console tools as strangers' clients: rows typed in, outputs read."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import orjson
import pytest

from tests.brokers import Broker
from tests.recovery.rig import Outputs, Pipeline, make_topics
from tests.shared import shared_path

STREAMS = ("pump-1", "pump-2")
ROWS = 10  # of each stream
# A JVM that lives for a second compiles as little as it can.
JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp")
TOOL_S = 120.0


def tool(name: str, *options: str, typed: str = "") -> str:
    """Run one of Kafka's tools, and return what it printed."""
    done = subprocess.run(
        [*JAVA, f"{shared_path('kafka', 'libs')}/*", f"org.apache.kafka.tools.{name}", *options],
        input=typed,
        capture_output=True,
        text=True,
        timeout=TOOL_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.kafka
def test_rows_of_the_console_producer_come_out_at_the_console_consumer(
    apache: Broker, bundle: Path, tmp_path: Path
) -> None:
    """Keys name streams; each row has an output, JSON under its stream's key; a typo is told of."""
    rows, out = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("rows", "scores"))
    make_topics(apache.address, rows, out, f"{out}.dead")
    made = Pipeline(tmp_path, apache.address, bundle, rows, out, "exactly_once")
    process = made.start()
    typed = [
        f"{stream}\t" + orjson.dumps({"f0": at, "f1": 0.5, "f2": 0.25}).decode()
        for at in range(ROWS)
        for stream in STREAMS
    ]
    server = ("--bootstrap-server", apache.address)
    lines = "\n".join(["pump-1\t{broken", *typed]) + "\n"
    tool(
        "ConsoleProducer",
        *server,
        "--topic",
        rows,
        "--reader-property",
        "parse.key=true",
        typed=lines,
    )
    read = ("--topic", out, "--from-beginning", "--isolation-level", "read_committed")
    shown = ("--formatter-property", "print.key=true", "--max-messages", str(len(typed)))
    printed = tool("consumer.ConsoleConsumer", *server, *read, *shown, "--timeout-ms", "60000")
    outputs = [line.split("\t", 1) for line in printed.splitlines()]
    assert len(outputs) == len(typed)
    for stream in STREAMS:
        found = [orjson.loads(value) for key, value in outputs if key == stream]
        assert {(one["stream"], one["type"]) for one in found} == {(stream, "score")}
        offsets = [int(one["id"].split("-")[-2]) for one in found]
        assert len(set(offsets)) == ROWS
        assert offsets == sorted(offsets)
    dead = Outputs(apache.address, f"{out}.dead")
    try:
        dead.wait(1, process)
        assert dead.records[0][1]["cause"] == b"malformed"
    finally:
        dead.close()
    made.stop(process)
