"""Rows a second from topic to topic: the pipeline, and beside it the script, run in turn.

Both are timed from outside and in the same way: from the commit that passes the warm-up share of
the input to the commit of its last record, as the consumer group's offsets show them.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks import topics
from tests.benchmarks.bench import Bench
from tests.benchmarks.machine import cpu_seconds
from tests.benchmarks.processes import Pipeline, Process, Running
from tests.benchmarks.report import Part, Table, micro, percent, rate, times
from tests.benchmarks.workload import PAYLOADS, Payload, Workload
from tests.brokers import Broker

WARM_SHARE = 0.2
LOOK_S = 0.02
STREAMS: dict[Payload, int] = {"json": 1000, "float32": 1000, "block": 4000}
# noida-db answers a fetch with all that the topic holds, and the client takes up to 100 MB.
PATH_ROWS: dict[Payload, int] = {"json": 180_000, "float32": 400_000, "block": 600_000}
SCRIPT_ROWS: dict[Payload, int] = {"json": 40_000, "float32": 40_000, "block": 40_000}
SCRIPT_COMMITS: dict[Payload, int] = {"json": 1000, "float32": 1000, "block": 2}  # every … messages
GUARANTEES = ("at_least_once", "exactly_once")
THREADS = (1, 0)  # the script's: one, and ONNX Runtime's default
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Run:
    """What one run reached."""

    rows_per_s: float
    cpu_s_per_row: float  # of the process itself, without the broker
    stages: dict[str, float] = field(default_factory=dict)  # seconds a row


def measure(bench: Bench) -> Part:
    """Both guarantees and both scripts, for every payload and broker."""
    tables: list[Table] = []
    data: dict[str, Any] = {}
    for broker in bench.brokers():
        runs = {payload: _payload(bench, broker, payload) for payload in PAYLOADS}
        best = bench.found.get("engine", {}).get("best_rows_per_s")
        figures = {payload: _figures(found, best) for payload, found in runs.items()}
        data[broker.name] = figures
        tables.append(_table(broker, figures))
        tables.append(_stages(broker, runs))
    return Part("throughput", tables, data)


def _payload(bench: Bench, broker: Broker, payload: Payload) -> dict[str, list[Run]]:
    """Fill a topic, then run script and pipeline in turn."""
    share = 0.4 if bench.quick else 1.0
    work = Workload(payload, STREAMS[payload], bench.features)
    rows = int(PATH_ROWS[payload] * share)
    topic = bench.name(f"in-{payload}")
    bench.say(f"{broker.name}: filling {topic} with {rows:,} rows")
    topics.create(broker.address, topic)
    records = topics.fill(broker.address, topic, work.records(rows))
    runs: dict[str, list[Run]] = defaultdict(list)
    for number in range(1 if bench.quick else ROUNDS):
        for threads, guarantee in zip(THREADS, GUARANTEES, strict=True):
            say = f"{broker.name}, {payload}, round {number + 1}"
            bench.say(f"{say}: script, {threads or 'default'} threads")
            wanted = int(SCRIPT_ROWS[payload] * share)
            runs[f"script_{threads}"].append(
                run_script(bench, broker, work, topic, wanted, threads)
            )
            bench.say(f"{say}: pipeline, {guarantee}")
            runs[guarantee].append(run_pipeline(bench, broker, work, topic, records, guarantee))
    topics.delete(broker.address, topic)
    return runs


def run_script(
    bench: Bench, broker: Broker, work: Workload, topic: str, rows: int, threads: int
) -> Run:
    """The script over the first ``rows`` rows it gets."""
    group, output = bench.name("script"), bench.name("out")
    topics.create(broker.address, output)
    messages = rows // work.rows_per_record
    options = {
        "brokers": broker.address,
        "topic": topic,
        "output": output,
        "group": group,
        "payload": work.payload,
        "model": bench.model,
        "messages": messages,
        "commit-every": SCRIPT_COMMITS[work.payload],
        "threads": threads,
    }
    command = [sys.executable, "-m", "tests.benchmarks.script"]
    command += [f"--{name}={value}" for name, value in options.items()]
    process = Process(command, bench.folder / f"{group}.log")
    try:
        run = _timed(process, broker, group, topic, messages, work)
        process.wait()
    finally:
        process.kill()
    topics.delete(broker.address, output)
    return run


def run_pipeline(
    bench: Bench,
    broker: Broker,
    work: Workload,
    topic: str,
    records: int,
    guarantee: str,
    **options: Any,
) -> Run:
    """``streamcell run`` over the whole topic; checks that every row came out once."""
    group, output = bench.name("pipeline"), bench.name("out")
    topics.create(broker.address, output)
    told = Pipeline(
        bench.model, broker.address, topic, output, group, work.payload, guarantee, **options
    )
    process = Running(told, bench.folder)
    try:
        run = _timed(process, broker, group, topic, records, work)
        metrics = process.metrics()
        process.stop()
    finally:
        process.kill()
    rows = records * work.rows_per_record
    out = topics.read_outputs(broker.address, output, work.payload)
    if (out.rows, out.repeated) != (rows, 0):
        raise RuntimeError(f"{rows} rows in, {out.rows} out, {out.repeated} of them repeated")
    topics.delete(broker.address, output)
    return Run(run.rows_per_s, run.cpu_s_per_row, _stage_seconds(metrics, rows))


def _timed(
    process: Process, broker: Broker, group: str, topic: str, records: int, work: Workload
) -> Run:
    progress = topics.Progress(broker.address, group, topic)
    warm: tuple[float, int, float] | None = None
    try:
        while True:
            process.check()
            done, now = progress.records(), time.perf_counter()
            if warm is None and done >= WARM_SHARE * records:
                warm = now, done, cpu_seconds(process.pid)
            if done >= records and warm is not None:
                break
            time.sleep(LOOK_S)
    finally:
        progress.close()
    rows = (done - warm[1]) * work.rows_per_record
    if not rows:
        raise RuntimeError(f"{topic}: all was committed at once; more rows are needed")
    return Run(rows / (now - warm[0]), (cpu_seconds(process.pid) - warm[2]) / rows)


def _stage_seconds(metrics: dict[str, float], rows: int) -> dict[str, float]:
    prefix = 'streamcell_loop_stage_duration_seconds_sum{stage="'
    return {
        name.removeprefix(prefix).removesuffix('"}'): value / rows
        for name, value in metrics.items()
        if name.startswith(prefix) and value
    }


def _figures(runs: dict[str, list[Run]], engine: float | None) -> dict[str, Any]:
    """Medians, and the medians of the rounds' ratios: a round's runs met the same neighbours."""
    found: dict[str, Any] = {}
    for name, some in runs.items():
        found[name] = statistics.median(run.rows_per_s for run in some)
        found[f"{name}_cpu_us_per_row"] = 1e6 * statistics.median(run.cpu_s_per_row for run in some)
        found[f"{name}_all"] = [round(run.rows_per_s) for run in some]
    best = max((f"script_{threads}" for threads in THREADS), key=lambda name: float(found[name]))
    found["script"] = best
    for name in GUARANTEES:
        pairs = list(zip(runs[name], runs[best], strict=True))
        found[f"{name}_by_script"] = statistics.median(
            run.rows_per_s / script.rows_per_s for run, script in pairs
        )
        found[f"{name}_cpu_by_script"] = statistics.median(
            script.cpu_s_per_row / run.cpu_s_per_row for run, script in pairs
        )
        if engine is not None:
            found[f"{name}_by_engine"] = found[name] / engine
    return found


def _table(broker: Broker, figures: dict[Payload, dict[str, Any]]) -> Table:
    table = Table(
        f"Topic to topic on {broker.name}, one process",
        (
            "payload",
            "guarantee",
            "rows/s",
            "script rows/s",
            "rows/s ratio",
            "CPU µs/row",
            "script CPU µs/row",
            "CPU ratio",
            "of bare engine",
        ),
    )
    for payload, found in figures.items():
        script = found["script"]
        for name in GUARANTEES:
            share = found.get(f"{name}_by_engine")
            table.rows.append(
                (
                    payload,
                    name,
                    rate(found[name]),
                    rate(found[script]),
                    times(found[f"{name}_by_script"]),
                    f"{found[f'{name}_cpu_us_per_row']:.1f}",
                    f"{found[f'{script}_cpu_us_per_row']:.1f}",
                    times(found[f"{name}_cpu_by_script"]),
                    "" if share is None else percent(share),
                )
            )
        names = (*GUARANTEES, *(f"script_{threads}" for threads in THREADS))
        single = "; ".join(f"{name} {found[f'{name}_all']}" for name in names)
        table.notes.append(f"{payload}, {STREAMS[payload]:,} streams, single runs: {single}.")
    table.notes.append(
        "Ratios are medians over rounds. script_1: one thread; script_0: ONNX Runtime's default; "
        "the faster one counts. CPU: of the process, all its threads, without the broker."
    )
    return table


def _stages(broker: Broker, runs: dict[Payload, dict[str, list[Run]]]) -> Table:
    """Where the loop's thread spends its time, by its own metrics."""
    names = [name for name in runs["json"][GUARANTEES[0]][0].stages if name != "snapshot"]
    table = Table(
        f"The loop's stages on {broker.name}, µs/row", ("payload", "guarantee", *names, "sum")
    )
    for payload, found in runs.items():
        for guarantee in GUARANTEES:
            taken = found[guarantee][-1].stages
            some = [taken.get(name, 0.0) for name in names]
            table.rows.append((payload, guarantee, *map(micro, some), micro(sum(some))))
    return table
