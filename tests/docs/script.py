"""A page as one shell script: run from top to bottom in a folder of its own."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.brokers import free_port
from tests.docs.pages import Block

# A machine may have something of its own there: a Kafka, a pipeline.
PORTS = re.compile(r"\b(9092|9464|1883|9090)\b")
TIMEOUT_S = 240.0
MARK = "\x1e"
END = "END_OF_THE_FILE"


def script_of(page: Sequence[Block]) -> str:
    """One bash script: blocks run in one shell, which ends at the first command that fails."""
    parts = ["set -euo pipefail"]
    for number, block in enumerate(page):
        if block.runs:
            parts += [f"printf '{MARK}%d\\n' {number}", _command(block).rstrip("\n")]
    ports: dict[str, str] = {}
    script = "\n".join([*parts, f"printf '{MARK}%d\\n' {len(page)}", ""])
    return PORTS.sub(lambda port: ports.setdefault(port[0], str(free_port())), script)


def _command(block: Block) -> str:
    if block.file:
        name = shlex.quote(block.file)
        folder = f"mkdir -p {shlex.quote(str(Path(block.file).parent))}"
        body = block.body
        if "[[pipeline]]" in body and "[http]" not in body:
            body += "[http]\nport = 0\n"  # the default one may be taken
        return f"{folder}\ncat > {name} <<'{END}'\n{body}{END}"
    if block.language == "python":
        return f"python - <<'{END}'\n{block.body}{END}"
    return block.body


def run_page(page: Sequence[Block], folder: Path) -> list[str]:
    """Run a page's blocks in ``folder``; returns what is wrong with it, nothing if all is well."""
    log = folder.with_name(f"{folder.name}.log")
    code = _run(script_of(page), folder, log)
    output = log.read_text(encoding="utf-8", errors="replace")
    said: dict[int, str] = {}
    for part in output.split(MARK)[1:]:
        number, _, text = part.partition("\n")
        said[int(number)] = text
    last = max(said, default=0)
    if code != 0 or last != len(page):
        place = page[last].place if last < len(page) else "its end"
        return [f"{place}: the block ended with {code}:\n{said.get(last, output)[-3000:]}"]
    return [
        f"{block.place}: these lines are not what comes out: {wrong}\nbut:\n{said[number][-3000:]}"
        for number, block in enumerate(page[:-1])
        if block.runs and page[number + 1].language == "text" and page[number + 1].after
        if (wrong := unlike(page[number + 1].body, said[number]))
    ]


def _run(script: str, folder: Path, log: Path) -> int:
    """The exit code of a script; whatever it left in the background is killed."""
    bin_folder = str(Path(sys.executable).parent)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STREAMCELL_", "PYTEST_", "COV_"))
    } | {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "COLUMNS": "110",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, with what it starts in the background
        )
    try:
        return process.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return -1
    finally:
        with suppress(ProcessLookupError):  # nothing was left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def unlike(shown: str, got: str) -> list[str]:
    """The first line of ``shown`` that does not come in ``got`` where it should, as a list.

    Other lines may stand between; ``…`` is anything.
    """
    lines = iter([_spaced(line) for line in got.splitlines()])
    for line in shown.splitlines():
        if line.strip() == "…":
            continue
        pattern = re.compile(".*".join(map(re.escape, _spaced(line).split("…"))))
        if not any(pattern.fullmatch(one) for one in lines):
            return [line]
    return []


def _spaced(line: str) -> str:
    return " ".join(line.split())
