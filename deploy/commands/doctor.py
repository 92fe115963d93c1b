"""``streamcell doctor``: what this machine can run, what is missing, and how to get it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

import pipeline
from pipeline.engines.choose import DEVICES, probe
from pipeline.engines.cuda import device_name
from pipeline.errors import EngineError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for: ``state`` is what was found, ``hint`` how to get it."""

    what: str
    found: bool
    state: str
    hint: str = ""


# What for, the packages of which one is enough, the extra that brings them.
PARTS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("ONNX Runtime", ("onnxruntime", "onnxruntime-gpu"), "cpu` or `gpu"),
    ("TensorRT", ("tensorrt", "tensorrt-rtx"), "tensorrt` or `tensorrt-rtx"),
    ("GPU memory for TensorRT", ("cuda-bindings",), "tensorrt` or `tensorrt-rtx"),
    ("Kafka", ("kafka-python",), ""),
    ("Kafka, faster", ("confluent-kafka",), "fast"),
    ("Training and export", ("torch",), "train"),
    ("Export", ("onnx",), "train"),
    ("Camera", ("av",), "camera"),
    ("People detector", ("opencv-python-headless", "opencv-python"), "camera"),
    ("Tracking", ("lapx",), "tracking` or `camera"),
    ("Sound", ("soundfile",), "audio"),
    ("Sound at other rates", ("soxr",), "audio"),
    ("Microphone", ("sounddevice",), "microphone"),
)
MODULES = {
    "soundfile": "soundfile",
    "soxr": "soxr",
    "sounddevice": "sounddevice",
    "av": "av",
    "lapx": "lap",
    "opencv-python-headless": "cv2",
    "opencv-python": "cv2",
}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Look at what is installed, run a step on every engine, and say what is missing.

    Exits with 0 where at least one engine runs, and else with 7.

    Examples:
      streamcell doctor

      streamcell doctor --json | jq '.engines[] | select(.found)'

    """
    parts, engines = find_parts(), find_engines()
    if json:
        answer = {
            "streamcell": pipeline.__version__,
            "python": platform.python_version(),
            "system": platform.platform(),
            "parts": [asdict(each) for each in parts],
            "engines": [asdict(each) for each in engines],
        }
        typer.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
    else:
        console = Console()
        console.print(
            f"streamcell {pipeline.__version__}, Python {platform.python_version()}, "
            f"{platform.platform()}",
            highlight=False,
        )
        console.print(_table("Installed", parts))
        console.print(_table("Engines, each tried with a step", engines))
    if not any(each.found for each in engines):
        raise EngineError("no engine can run here; see the hints above")


def find_parts() -> list[Finding]:
    """What is installed, and the GPU."""
    found = []
    for what, packages, extra in PARTS:
        have = [name for name in packages if _version(name)]
        hint = f"install streamcell with the extra `{extra}`" if extra else "install streamcell"
        if not have:
            found.append(Finding(what, False, "not installed", hint))
            continue
        state = ", ".join(f"{name} {_version(name)}" for name in have)
        broken = [_broken(MODULES[name]) for name in have if name in MODULES]
        trouble = next((each for each in broken if each), "")
        found.append(Finding(what, not trouble, state, trouble))
    found.append(_gpu())
    if {"onnxruntime", "onnxruntime-gpu"} <= {name for name in PARTS[0][1] if _version(name)}:
        both = "both are installed and break each other: uninstall both, then install one extra"
        found[0] = Finding(found[0].what, False, found[0].state, both)
    return found


def find_engines() -> list[Finding]:
    """What each value of ``engine.device`` would run on, tried with a step."""
    found = []
    for device in (*reversed(DEVICES),):
        try:
            engine = probe(device)
        except EngineError as error:
            found.append(Finding(device, False, "can't run here", str(error)))
            continue
        where = f"{engine.name} on {_place(engine.device)}"
        found.append(Finding(device, True, where))
        engine.close()
    return found


def _place(device: str) -> str:
    """The name of what a device is."""
    if device == "cpu":
        return f"cpu ({platform.machine()})"
    try:
        return f"{device} ({device_name()})"
    except EngineError:
        return device


def _gpu() -> Finding:
    try:
        return Finding("NVIDIA GPU", True, device_name())
    except EngineError as error:
        return Finding("NVIDIA GPU", False, "not found", str(error))


def _version(package: str) -> str:
    """The installed version, or nothing."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _broken(module: str) -> str:
    """What keeps an installed module from being imported, with what to do; nothing if it can be."""
    if find_spec(module) is None:
        return f"the module {module} is missing from the package: install it again"
    try:
        __import__(module)
    except OSError as error:  # a system library that the package expects
        return f"{error}: install it with the system's packages (apt install libportaudio2)"
    except ImportError as error:
        return f"{error}: install what it names with the system's packages"
    return ""


def _table(title: str, findings: Sequence[Finding]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("", "", "", "to get it"):
        table.add_column(name, overflow="fold")
    for each in findings:
        mark = "[green]yes[/]" if each.found else "[yellow]no[/]"
        table.add_row(mark, each.what, each.state, each.hint)
    return table
