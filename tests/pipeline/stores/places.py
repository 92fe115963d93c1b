"""The stores that keep the contract: a new one joins every test by being listed here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import pytest

from pipeline.stores.base import SavedRows, Store
from pipeline.stores.sqlite import SqliteStore

WIDTH = 3
HEAD = np.dtype([("rows", "i8"), ("mean", "f4", (2,))])
OnModelChange = Literal["stop", "reset"]


class Place(Protocol):
    """Where a store's data outlives the process; kind and location find it from another one."""

    kind: str
    location: str

    def open(self, fingerprint: str = "f", on_model_change: OnModelChange = "stop") -> Store:
        """Open the store, as a restarted process would."""
        ...


class SqlitePlace:
    """A file in a folder."""

    kind = "sqlite"

    def __init__(self, location: str) -> None:
        self.location = location

    def open(self, fingerprint: str = "f", on_model_change: OnModelChange = "stop") -> Store:
        return SqliteStore(
            Path(self.location),
            topic="t",
            fingerprint=fingerprint,
            state_width=WIDTH,
            head_dtype=HEAD,
            on_model_change=on_model_change,
        )


PLACES: dict[str, Callable[[str], Place]] = {"sqlite": SqlitePlace}


def make_place(kind: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    """An empty place; ``request`` gives those that need a server its fixture."""
    assert kind == "sqlite"
    return PLACES[kind](str(folder / "state" / "s.sqlite"))


def rows(partition: int, keys: list[bytes], value: float, offset: int) -> SavedRows:
    """Streams whose state, head and time follow from ``value`` and ``offset``."""
    count = len(keys)
    head = np.zeros(count, HEAD)
    head["rows"] = offset
    head["mean"] = value
    return SavedRows(
        partition,
        keys,
        np.full(count, offset),
        np.full(count, offset * 10),
        np.full((count, WIDTH), value, np.float32),
        head,
    )
