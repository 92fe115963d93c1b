"""What the pipeline says of itself: the counters of its metrics page."""

from __future__ import annotations

import re
import urllib.request
from dataclasses import dataclass

from pipeline.errors import SourceError

_SAMPLE = re.compile(r"^streamcell_(\w+)\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Told:
    """Counts since the pipeline's process began."""

    frames: int
    dropped: dict[str, int]  # frames by cause
    outputs: dict[str, int]  # by kind


def read_metrics(url: str) -> Told:
    """Ask the pipeline at ``url``; raises SourceError where it doesn't answer."""
    try:
        # The address is this machine's, and the scheme is fixed.
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310
            text = answer.read().decode()
    except OSError as error:
        raise SourceError(f"{url}/metrics does not answer: {error}") from error
    return parse(text)


def parse(text: str) -> Told:
    """The counts in a page of Prometheus's text format."""
    frames, dropped, outputs = 0, {}, {}
    for name, given, value in _SAMPLE.findall(text):
        labels = dict(_LABEL.findall(given))
        if name == "input_rows_total":
            frames = round(float(value))
        elif name == "input_dropped_rows_total":
            dropped[labels["cause"]] = round(float(value))
        elif name == "output_rows_total":
            outputs[labels["kind"]] = round(float(value))
    return Told(frames, dropped, outputs)
