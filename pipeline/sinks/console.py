"""Outputs to the terminal: JSON lines for programs, coloured lines for people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from pipeline.block import Records, Reject
from pipeline.encode.dead_letters import dead_letter_line
from pipeline.encode.json_rows import JsonRows
from pipeline.errors import SinkError

SHOWN_BYTES = 1024  # of a dead letter's value
RED, YELLOW, BOLD, DIM, PLAIN = "\033[31m", "\033[33m", "\033[1m", "\033[2m", "\033[0m"
# Control characters of a stream's name could write anything to a terminal.
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\ufffd")


class ConsoleSink:
    """Prints outputs to ``out`` (standard output) and dead letters to ``errors``.

    As JSON lines, or, where ``out`` is a terminal, as lines to read. ``topic`` is the
    source's, for record ids.
    """

    def __init__(
        self, topic: str, *, out: TextIO | None = None, errors: TextIO | None = None
    ) -> None:
        self._topic = topic
        self._encoder = JsonRows(topic)
        self._out = sys.stdout if out is None else out
        self._errors = sys.stderr if errors is None else errors
        self._people = self._out.isatty()
        self._people_errors = self._errors.isatty()

    def open(self) -> None:
        """Nothing to do."""

    def send(self, records: Records) -> None:
        """Print a line for each output."""
        if self._people:
            lines = _readable(records)
        else:
            lines = [value.decode() for value in self._encoder.encode(records).values]
        self._print(self._out, lines)

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Print a line for each dead letter."""
        if self._people_errors:
            lines = [
                f"{YELLOW}rejected{PLAIN} {_clean(one.topic)}-{one.partition}-{one.offset} "
                f"{one.cause}: {_clean(one.reason)}"
                for one in rejects
            ]
        else:
            lines = [dead_letter_line(one, SHOWN_BYTES).decode() for one in rejects]
        self._print(self._errors, lines)

    def flush(self) -> None:
        """Hand over what is buffered; raises SinkError where nobody reads it any more."""
        try:
            self._out.flush()
            self._errors.flush()
        except (OSError, ValueError) as error:
            raise SinkError(f"the console can't be written: {error}") from error

    def close(self) -> None:
        """Hand over what is buffered, as far as anybody reads it; twice is fine."""
        try:
            self.flush()
        except SinkError:
            return

    def _print(self, stream: TextIO, lines: Sequence[str]) -> None:
        if not lines:
            return
        try:
            stream.write("\n".join(lines) + "\n")
        except (OSError, ValueError) as error:
            raise SinkError(f"the console can't be written: {error}") from error


def _readable(records: Records) -> list[str]:
    """``2026-11-21 10:15:00  alarm  machine-7  score 7.31  threshold 5`` in colours."""
    colour = RED + BOLD if records.kind == "alarm" else BOLD
    times = np.datetime_as_string(records.time.astype("M8[us]"), unit="ms").tolist()
    columns = {
        name: column.tolist()
        for name, column in records.columns.items()
        # What an output is made of piece by piece (a sentence's words) is for programs.
        if not _nested(column)
    }
    return [
        f"{DIM}{at.replace('T', ' ')}{PLAIN}  {colour}{_clean(records.kind)}{PLAIN}  "
        f"{_clean(key.decode(errors='replace'))}"
        + "".join(f"  {DIM}{name}{PLAIN} {_cell(cells[row])}" for name, cells in columns.items())
        for row, (at, key) in enumerate(zip(times, records.key.tolist(), strict=True))
    ]


def _nested(column: npt.NDArray[Any]) -> bool:
    return column.dtype.hasobject and any(isinstance(cell, list) for cell in column.tolist())


def _cell(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:.4g}"
    if isinstance(cell, list):
        return f"[{', '.join(map(_cell, cell))}]"
    return _clean(str(cell))


def _clean(text: str) -> str:
    return text.translate(_CONTROLS)
