"""Words as plain lines, for a pipe or a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from deploy.listen.heard import Heard, heard
from deploy.listen.text import clock, printable
from pipeline.block import Records, Reject
from pipeline.errors import SinkError


class LinesSink:
    """A line for each final text and keyword: time, stream, words, confidence; no partial ones."""

    def __init__(self, out: TextIO, errors: TextIO) -> None:
        self._out, self._errors = out, errors

    def open(self) -> None:
        """Nothing to do."""

    def send(self, records: Records) -> None:
        """Write what is final."""
        self._write(self._out, [line(one) for one in heard(records) if one.kind != "partial"])

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Say what could not be heard."""
        self._write(self._errors, [f"rejected: {printable(one.reason)}" for one in rejects])

    def flush(self) -> None:
        """Hand over what is buffered; raises SinkError where nobody reads it any more."""
        try:
            self._out.flush()
        except (OSError, ValueError) as error:
            raise SinkError(f"the output can't be written: {error}") from error

    def close(self) -> None:
        """Hand over what is buffered, as far as anybody reads it; twice is fine."""
        try:
            self.flush()
        except SinkError:
            return

    def _write(self, out: TextIO, lines: Sequence[str]) -> None:
        try:
            out.writelines(f"{line}\n" for line in lines)
            out.flush()  # words are wanted as they are said
        except (OSError, ValueError) as error:
            raise SinkError(f"the output can't be written: {error}") from error


def line(one: Heard) -> str:
    """``0:12.3  desk  hello world  (0.92)``; a keyword is in brackets."""
    text = f"[{one.text}]" if one.kind == "keyword" else one.text
    score = "" if one.score is None else f"  ({one.score:.2f})"
    return f"{clock(one.start_s)}  {printable(one.stream)}  {printable(text)}{score}"
