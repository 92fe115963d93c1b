"""Measure the pipeline on this machine and write ``tests/benchmarks/results``.

python -m tests.benchmarks                  everything, about 15 minutes
python -m tests.benchmarks --quick          a look, about a minute
python -m tests.benchmarks --only engine    one part (may be given several times)
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tests.benchmarks import engine, latency, machine, memory, stages, start, throughput
from tests.benchmarks.bench import Bench
from tests.benchmarks.report import Part, write

PARTS: dict[str, Callable[[Bench], Part]] = {
    "engine": engine.measure,
    "stages": stages.measure,
    "throughput": throughput.measure,
    "latency": latency.measure,
    "memory": memory.measure,
    "start": start.measure,
}


def main() -> None:
    """Run the parts that were asked for, one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rows, one round, one broker")
    parser.add_argument(
        "--only", action="append", choices=PARTS, metavar="PART", help=str([*PARTS])
    )
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console.width = 140  # a log wraps no tables
    described = machine.describe()
    for name, value in described.items():
        console.print(f"{name:>10}  {value}", highlight=False)
    parts = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, console.status("…") as status:
        bench = Bench(Path(folder), options.quick, status.update)
        try:
            for name, measure in PARTS.items():
                if options.only and name not in options.only:
                    continue
                part = measure(bench)
                bench.found[name] = part.data
                parts.append(part)
                for table in part.tables:
                    table.show(console)
        finally:
            bench.close()
    if not options.no_write:
        name = f"{datetime.now(UTC):%Y-%m-%d}-{described['commit']}".rstrip("+")
        name += "-quick" if options.quick else ""
        name += f"-{'-'.join(options.only)}" if options.only else ""
        console.print(f"\nwritten: {write(described, parts, name)}")


if __name__ == "__main__":
    main()
