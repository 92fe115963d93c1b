"""What a running process says of itself over HTTP: ready or why not, and its pipelines' figures."""

from __future__ import annotations

import http.client
import time
import tomllib
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from prometheus_client.parser import text_string_to_metric_families

from pipeline.config import HttpConfig
from pipeline.errors import StreamcellError

PATIENCE_S = 5.0
BETWEEN_S = 1.0  # from one look at the counters to the next
MAX_BYTES = 64 << 20

Samples = dict[str, dict[str, float]]  # values by pipeline, by metric; labels are summed over


@dataclass(frozen=True, slots=True)
class Figures:
    """One pipeline; ``rows_per_s`` and ``lag`` are None where it tells none."""

    name: str
    up: bool
    restarts: int
    rows_per_s: float | None
    lag: int | None
    dead_letters: int


@dataclass(frozen=True, slots=True)
class Told:
    """What the process at ``url`` answered; ``reasons`` say why it is not ready."""

    url: str
    ready: bool
    reasons: tuple[str, ...]
    pipelines: tuple[Figures, ...] = ()


def http_of(file: Path) -> HttpConfig:
    """The table [http] of a configuration; raises StreamcellError where it can't be read.

    The rest is not looked at: it may name secrets that only the service has.
    """
    try:
        return HttpConfig.model_validate(tomllib.loads(file.read_text()).get("http", {}))
    except OSError as error:
        raise StreamcellError(f"{file}: can't read it: {error.strerror}") from error
    except ValueError as error:
        raise StreamcellError(f"{file}: {error}") from error


def address(http: HttpConfig) -> str:
    """Where a process with this configuration is asked from the same machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(http.bind, http.bind)  # noqa: S104
    return f"http://[{host}]:{http.port}" if ":" in host else f"http://{host}:{http.port}"


def ask(url: str) -> Told:
    """Ask the process at ``url``; one that doesn't answer is not ready."""
    try:
        ready, reasons = _ready(url)
        before, began = _samples(url), time.monotonic()
        time.sleep(BETWEEN_S)
        after, took_s = _samples(url), time.monotonic() - began
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = error.reason if isinstance(error, urllib.error.URLError) else error
        return Told(url, False, (f"it does not answer: {why}",))
    return Told(url, ready, reasons, figures(before, after, took_s))


def figures(before: Samples, after: Samples, took_s: float) -> tuple[Figures, ...]:
    """The pipelines' figures from two looks at the metrics, ``took_s`` seconds apart."""
    up = after.get("streamcell_pipeline_up", {})
    rows = "streamcell_input_rows_total"

    def value(metric: str, pipeline: str) -> float | None:
        return after.get(metric, {}).get(pipeline)

    found = []
    for name in up:
        now, then = value(rows, name), before.get(rows, {}).get(name)
        # A pipeline that was started again in between counts from zero.
        rate = None if now is None or then is None or now < then else (now - then) / took_s
        lag = value("streamcell_input_lag_records", name)
        found.append(
            Figures(
                name,
                up[name] == 1,
                int(value("streamcell_pipeline_restarts_total", name) or 0),
                rate,
                None if lag is None else int(lag),
                int(value("streamcell_output_dead_letters_total", name) or 0),
            )
        )
    return tuple(found)


def _ready(url: str) -> tuple[bool, tuple[str, ...]]:
    try:
        answer: dict[str, Any] = orjson.loads(_get(f"{url}/readyz"))
    except urllib.error.HTTPError as error:
        if error.code != http.client.SERVICE_UNAVAILABLE:
            raise
        with error:
            answer = orjson.loads(error.read(MAX_BYTES))
    return answer["status"] == "ready", tuple(answer["reasons"])


def _samples(url: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(_get(f"{url}/metrics").decode()):
        for sample in family.samples:
            if (pipeline := sample.labels.get("pipeline")) is not None:
                values = found.setdefault(sample.name, {})
                values[pipeline] = values.get(pipeline, 0.0) + sample.value
    return found


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310  # http only
        read: bytes = answer.read(MAX_BYTES)
        return read
