"""Build a TensorRT engine (a plan) from a bundle, and keep it for the next start.

The packages ``tensorrt`` and ``tensorrt_rtx`` have the same API; this is the file that knows both.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog

from pipeline.bundle import Bundle
from pipeline.errors import EngineError

log = structlog.get_logger(__name__)

PACKAGES = ("tensorrt", "tensorrt_rtx")
SUFFIX = ".plan"


@dataclass(frozen=True, slots=True)
class PlanKey:
    """What a plan was built from, by and for; it is of use where all of it is the same."""

    bundle: str  # sha256 of the bundle's file
    library: str  # such as "tensorrt_rtx 1.7.1"
    gpu: str
    max_rows: int
    opt_rows: int

    @property
    def file_name(self) -> str:
        """Where the plan is kept; other libraries and GPUs have files of their own."""
        place = re.sub(r"[^a-z0-9.]+", "-", f"{self.library} {self.gpu}".lower()).strip("-")
        return f"{self.bundle[:16]}-{place}{SUFFIX}"


def tensorrt_library(package: str | None = None) -> Any:
    """The module ``package``, or by default the first of ``PACKAGES`` that is installed.

    Raises EngineError without one.
    """
    for name in PACKAGES if package is None else (package,):
        try:
            return import_module(name)  # heavy and optional: imported where an engine is built
        except ImportError:
            continue
    raise EngineError(
        f"{package or 'TensorRT'} is not installed; install streamcell with the extra `tensorrt` "
        "(data centre and Jetson GPUs, from the vendor's package index) or `tensorrt-rtx` "
        '(GeForce and RTX GPUs), or set engine.device = "cpu"'
    )


def library_name(library: Any) -> str:
    """Package and version, such as ``tensorrt_rtx 1.7.1``."""
    return f"{library.__name__} {library.__version__}"


def library_logger(library: Any) -> Any:
    """A logger of the library's; its list ``errors`` holds what calls that return nothing mean."""

    class Logger(library.ILogger):  # type: ignore[misc]  # the module is known at run time
        def __init__(self) -> None:
            library.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (library.ILogger.ERROR, library.ILogger.INTERNAL_ERROR):
                self.errors.append(message.strip()[:300])
            elif severity == library.ILogger.WARNING:
                log.debug("TensorRT warns", message=message.strip()[:300])

    return Logger()


def build_plan(bundle: Bundle, max_rows: int, opt_rows: int, library: Any) -> bytes:
    """Parse the bundle's graph and build it for batches of 1 to ``max_rows`` rows.

    ``opt_rows`` is the batch that it is tuned for. Arithmetic is the graph's own: types are not
    lowered, and NaN stays NaN. Raises EngineError, which names the operators that TensorRT does
    not take.
    """
    logger = library_logger(library)
    builder = library.Builder(logger)
    typed = 1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = library.OnnxParser(network, logger)
    if not parser.parse(bundle.model):
        raise EngineError(f"{bundle.path}: {_refused(parser)}")
    config = builder.create_builder_config()
    config.clear_flag(library.BuilderFlag.TF32)  # float32 means float32
    config.set_flag(library.BuilderFlag.STRICT_NANS)
    profile = builder.create_optimization_profile()
    manifest = bundle.manifest
    for name, width in (("x", manifest.input_width), ("state", manifest.state_width)):
        profile.set_shape(name, (1, width), (opt_rows, width), (max_rows, width))
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        said = "; ".join(logger.errors[-3:]) or "it gives no reason"
        raise EngineError(
            f"{bundle.path}: {library_name(library)} could not build an engine: {said}"
        )
    return bytes(plan)


def kept_plan(bundle: Bundle, key: PlanKey, folder: Path, library: Any) -> bytes:
    """The plan from ``folder``, or a new one where there is none for all of ``key``.

    A file that is stale, foreign or damaged is replaced, and the log says why. A folder that can't
    be written to costs the next start's time, so it is only warned of.
    """
    path = folder / key.file_name
    try:
        return _unwrap(path.read_bytes(), key)
    except FileNotFoundError:
        others = [other.name for other in folder.glob(f"{key.bundle[:16]}-*{SUFFIX}")]
        log.info("building a TensorRT engine", file=str(path), library=key.library, gpu=key.gpu)
        if others:
            log.info("kept engines are for other libraries or GPUs", files=others)
    except OSError as error:
        log.warning("kept engine can't be read", file=str(path), reason=error.strerror)
    except ValueError as reason:
        log.warning("rebuilding a kept TensorRT engine", file=str(path), reason=str(reason))
    plan = build_plan(bundle, key.max_rows, key.opt_rows, library)
    try:
        _keep(path, _wrap(plan, key))
    except OSError as error:
        log.warning("TensorRT engine not kept", file=str(path), reason=error.strerror)
    return plan


def _wrap(plan: bytes, key: PlanKey) -> bytes:
    """The plan under a line that says what it is."""
    head = asdict(key) | {"sha256": hashlib.sha256(plan).hexdigest()}
    return json.dumps(head).encode() + b"\n" + plan


def _unwrap(content: bytes, key: PlanKey) -> bytes:
    """The inverse of ``_wrap``; raises ValueError where the file isn't what ``key`` asks for."""
    line, _, plan = content.partition(b"\n")
    try:
        head = json.loads(line)
    except ValueError:
        raise ValueError("no file of this program's, or damaged") from None
    if not isinstance(head, dict):
        raise ValueError("no file of this program's, or damaged")
    for name, wanted in asdict(key).items():
        if head.get(name) != wanted:
            raise ValueError(f"built for {name} {head.get(name)!r}, this is {wanted!r}")
    if head.get("sha256") != hashlib.sha256(plan).hexdigest():
        raise ValueError("damaged: its checksum is wrong")
    return plan


def _keep(path: Path, content: bytes) -> None:
    """Write the file whole or not at all, for this user alone: the GPU's driver runs it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.touch(mode=0o600)
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        with suppress(OSError):  # the error that matters is already on its way
            beside.unlink(missing_ok=True)


def _refused(parser: Any) -> str:
    """What the parser said, operators first."""
    errors = [parser.get_error(at) for at in range(parser.num_errors)]
    operators = sorted({error.node_operator() for error in errors if error.node_operator()})
    said = "; ".join(dict.fromkeys(error.desc() for error in errors))[:500]
    if not operators:
        return f"TensorRT does not take the graph: {said}"
    return (
        f"TensorRT does not take these operators of the graph: {', '.join(operators)} ({said}); "
        'run the bundle with engine.device = "cuda" or "cpu", or lower it for TensorRT with '
        "`streamcell export --target tensorrt`"
    )
