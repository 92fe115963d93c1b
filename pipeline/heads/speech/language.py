"""A language model as an automaton: for each state what each symbol costs and where it leads.

The tables are dense, so a step of a thousand hypotheses is two look-ups. Column 0, where the blank
would be, tells how probable it is that the utterance ends here.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.block import Float32, Int32

MAX_CELLS = 1 << 22  # states × symbols: 32 MiB in memory
FORM: Literal["automaton"] = "automaton"
_LEAST = -1e4  # nats: what no sensible table goes below


class _Packed(BaseModel):
    """``states`` × ``symbols`` tables: base64 of zlib of little-endian numbers, row by row.

    ``log_probs`` are float16, in nats; ``next`` are uint32, the numbers of states.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    form: Literal["automaton"]
    order: int = Field(ge=1, le=16)
    states: int = Field(ge=1)
    symbols: int = Field(ge=2)
    start: int = Field(ge=0)
    log_probs: str
    next: str


class LanguageModel:
    """``log_probs [S, V]`` in nats, ``next [S, V]`` the states after them, ``start`` the first."""

    def __init__(
        self, log_probs: Float32, following: Int32, start: int = 0, order: int = 1
    ) -> None:
        self.log_probs = log_probs
        self.next = following
        self.start = start
        self.order = order

    def packed(self) -> dict[str, Any]:
        """As the manifest holds it; log-probabilities are rounded to float16."""
        states, symbols = self.log_probs.shape
        return {
            "form": FORM,
            "order": self.order,
            "states": states,
            "symbols": symbols,
            "start": self.start,
            "log_probs": _pack(self.log_probs.astype("<f2")),
            "next": _pack(self.next.astype("<u4")),
        }


def read_language_model(raw: dict[str, Any], symbols: int) -> LanguageModel:
    """What a manifest says of a language model over ``symbols`` labels.

    Nothing in it is trusted: raises ValueError where it is too large, damaged, of another number
    of labels, or leads to states that it does not have.
    """
    try:
        found = _Packed.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(
            f"lm.{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise ValueError(problems) from error
    if found.symbols != symbols:
        raise ValueError(f"lm is of {found.symbols} symbols, the model has {symbols} labels")
    cells = found.states * symbols
    if cells > MAX_CELLS:
        raise ValueError(
            f"lm has {found.states:,} states × {symbols} symbols, more than {MAX_CELLS:,} cells; "
            "train one of a lower order or with fewer states"
        )
    log_probs = _unpack("log_probs", found.log_probs, "<f2", cells).astype(np.float32)
    following = _unpack("next", found.next, "<u4", cells)
    if not ((log_probs <= 0) & (log_probs >= _LEAST)).all():
        raise ValueError("lm.log_probs has values that are no logarithms of probabilities")
    if found.start >= found.states or bool((following >= found.states).any()):
        raise ValueError(f"lm leads to states that are not among its {found.states}")
    shape = (found.states, symbols)
    table = following.astype(np.int32).reshape(shape)
    return LanguageModel(log_probs.reshape(shape), table, found.start, found.order)


def _pack(table: npt.NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(table.tobytes(), 9)).decode()


def _unpack(name: str, text: str, dtype: str, cells: int) -> npt.NDArray[Any]:
    size = cells * np.dtype(dtype).itemsize
    try:
        packed = zlib.decompressobj()
        content = packed.decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ValueError(f"lm.{name} is damaged: {error}") from error
    if len(content) != size:
        raise ValueError(f"lm.{name} does not hold {cells:,} numbers of {dtype[1:]}")
    return np.frombuffer(content, dtype)
