"""From the start of the process to its first output, and where the time goes; memory when idle."""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson
from confluent_kafka import Consumer, TopicPartition

from tests.benchmarks import topics
from tests.benchmarks.bench import Bench
from tests.benchmarks.idle import idle_of_four_tasks
from tests.benchmarks.machine import cpu_seconds, resident_bytes
from tests.benchmarks.processes import Pipeline, Running
from tests.benchmarks.report import Part, Table
from tests.benchmarks.workload import PARTITIONS, Workload
from tests.brokers import Broker

STREAMS = 100
IMPORTS = "import deploy.cli, deploy.commands.run, onnxruntime, pipeline.sources.confluent"
SHOWN = 12
# The log's events that end a stretch, and what it is.
STRETCHES = (
    ("monitor listening", "interpreter, imports, configuration"),
    ("running", "model"),
    ("partition assigned", "broker: topics, group, positions"),
    ("", "first rows to the topic"),
)


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds of each stretch and until ready, processor seconds, idle megabytes."""

    stretches: tuple[float, ...]
    ready_s: float
    processor_s: float
    idle_mb: float

    @property
    def first_s(self) -> float:
        """Seconds from the start of the process to its first output."""
        return sum(self.stretches)


def measure(bench: Bench) -> Part:
    """Start and idle memory on the brokers that are there, and the slowest imports."""
    data: dict[str, object] = {}
    tables = []
    with _bytecode(bench.folder / "bytecode"):
        bench.say("warming up")
        _start(bench, bench.noida(), "all")
        columns: dict[str, list[Start]] = {}
        for broker in bench.brokers():
            for assign in ("group", "all"):
                named = f"{broker.name}, {assign}"
                columns[named] = []
                for number in range(1 if bench.quick else 5):
                    bench.say(f"{named}: start {number + 1}")
                    columns[named].append(_start(bench, broker, assign))
        tables.append(_table(columns))
        data |= {
            named: {"first_s": [one.first_s for one in starts], **_medians(starts)}
            for named, starts in columns.items()
        }
        bench.say("four tasks in one process")
        four = idle_of_four_tasks(bench, bench.noida())
        tables[0].notes.append(
            f"One process with a pipeline of each of the four tasks: {four:.0f} MB idle."
        )
        data["idle_of_four_tasks_mb"] = four
        bench.say("imports")
        _imports()
        imports = _imports()
    slowest = sorted(imports.items(), key=lambda item: -item[1])[:SHOWN]
    tables.append(
        Table(
            "Imports of `streamcell run`, by package",
            ("package", "ms"),
            [(name, f"{taken / 1000:.0f}") for name, taken in slowest],
            [f"All together {sum(imports.values()) / 1e6:.2f} s (python -X importtime)."],
        )
    )
    return Part("start", tables, data | {"imports_us": dict(slowest)})


def _table(columns: dict[str, list[Start]]) -> Table:
    """Medians: a column for each broker and way of assigning."""
    medians = [_medians(starts) for starts in columns.values()]
    return Table(
        "Start of `streamcell run`, median",
        ("what", *columns),
        [(name, *(f"{one[name]:.2f}" for one in medians)) for name in medians[0]],
        [
            "JSON rows wait in the topic. `group` joins a consumer group, which waits by the "
            "broker's own delay; `all` takes every partition.",
            "All to the first output: "
            + "; ".join(
                f"{named}: {' '.join(f'{one.first_s:.2f}' for one in starts)}"
                for named, starts in columns.items()
            ),
            "Bytecode is there, as pip leaves it; idle: resident, after the last row.",
        ],
    )


def _medians(starts: Sequence[Start]) -> dict[str, float]:
    found = {
        f"{name}, s": statistics.median(one.stretches[at] for one in starts)
        for at, (_, name) in enumerate(STRETCHES)
    }
    return found | {
        "first output, s": statistics.median(one.first_s for one in starts),
        "ready, s": statistics.median(one.ready_s for one in starts),
        "processor time until then, s": statistics.median(one.processor_s for one in starts),
        "idle, MB": statistics.median(one.idle_mb for one in starts),
    }


def _start(bench: Bench, broker: Broker, assign: str) -> Start:
    topic, output, group = (bench.name(what) for what in ("in", "out", "pipeline"))
    topics.create(broker.address, topic, output, f"{topic}.dead")
    topics.fill(broker.address, topic, Workload("json", STREAMS, bench.features).records(STREAMS))
    told = Pipeline(
        bench.model,
        broker.address,
        topic,
        output,
        group,
        "json",
        "at_least_once",
        assign=assign,
        log_level="info",
    )
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": "first",
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
    )
    consumer.assign([TopicPartition(output, number, 0) for number in range(PARTITIONS)])
    consumer.poll(0.5)  # connected, before the clock starts
    began = time.time()  # as the log's
    process = Running(told, bench.folder)
    try:
        while consumer.poll(0.02) is None:
            process.check()
        first = time.time()
        process.ready()
        ready_s = time.time() - began
        taken = cpu_seconds(process.pid)
        time.sleep(1.0)  # what the start left behind is given back
        idle = resident_bytes(process.pid) / 1e6
        process.stop()
    finally:
        process.kill()
        consumer.close()
    moments = [began, *_moments(bench.folder / f"{group}.log"), first]
    stretches = tuple(after - before for before, after in itertools.pairwise(moments))
    return Start(stretches, ready_s, taken, idle)


def _moments(log: Path) -> list[float]:
    """When the log's events that end a stretch came first, in seconds since 1970."""
    found: dict[str, float] = {}
    for line in log.read_text().splitlines():
        told = orjson.loads(line)
        found.setdefault(told["event"], datetime.fromisoformat(told["timestamp"]).timestamp())
    return [found[event] for event, _ in STRETCHES if event]


@contextmanager
def _bytecode(folder: Path) -> Iterator[None]:
    """Within it children write bytecode to a folder of their own, whatever the environment says."""
    before = dict(os.environ)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _imports() -> dict[str, float]:
    """Microseconds that importing took, by top-level package, without what it imported itself."""
    command = [sys.executable, "-X", "importtime", "-c", IMPORTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, float] = defaultdict(float)
    for line in done.stderr.splitlines():
        cells = line.removeprefix("import time:").split("|")
        if len(cells) == 3 and cells[0].strip().isdigit():
            found[cells[2].strip().partition(".")[0]] += float(cells[0])
    return dict(found)
