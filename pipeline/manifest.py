"""The manifest: what a bundle says of itself, as JSON inside the ONNX file."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.block import Float32
from pipeline.clock import ClockColumn
from pipeline.errors import BundleError

FORMAT = 1
METADATA_KEY = "streamcell"
OUTPUTS_TASK = "outputs"  # reports each part under its own name
# What every record of that task tells anyway (see encode/ and heads/outputs.py).
TAKEN_NAMES = frozenset({"id", "type", "stream", "time", "step"})


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Feature(_Frozen):
    """One input column: its name in the rows and its unit for people.

    Where ``missing`` is set rows may lack the value: the graph is given NaN and copes with it.
    """

    name: str = Field(min_length=1)
    unit: str = ""
    missing: bool = False


class Audio(_Frozen):
    """Rows of sound: ``chunk`` samples of one channel at ``sample_rate_hz``; 1.0 is full scale."""

    sample_rate_hz: int = Field(ge=1000, le=192_000)
    chunk: int = Field(ge=1, le=1 << 20)

    @property
    def chunk_s(self) -> float:
        """The seconds in one row."""
        return self.chunk / self.sample_rate_hz


class Part(_Frozen):
    """A named piece of a packed row: ``shape`` per stream, and its value in a new stream."""

    name: str = Field(min_length=1)
    shape: tuple[Annotated[int, Field(ge=1)], ...] = ()
    initial: float | tuple[float, ...] = 0.0

    @property
    def width(self) -> int:
        """How many floats of the row this part takes."""
        return math.prod(self.shape)

    @model_validator(mode="after")
    def _initial_fits(self) -> Part:
        if isinstance(self.initial, tuple) and len(self.initial) != self.width:
            raise ValueError(
                f"part {self.name!r}: {len(self.initial)} initial values, {self.width} needed"
            )
        return self


class Manifest(_Frozen):
    """Everything a runtime must know to serve the graph ``x, state → y, state_next``.

    ``state`` and ``outputs`` describe the packed rows of state (width D) and y (width K) in order.
    ``clock`` names the columns that the runtime appends to a row's features (``pipeline.clock``).
    With ``audio`` a row is a chunk of samples, and there is one feature, which names them.
    ``precision`` is that of the graph's large matrix products; x, y and state are always float32.
    ``head`` holds the parameters of the task's head, which validates them itself. ``fingerprint``
    tells which states this graph can go on from: equal fingerprints, exchangeable states.
    """

    format: int = FORMAT
    name: str = Field(min_length=1)
    task: str
    features: tuple[Feature, ...] = Field(min_length=1)
    clock: tuple[ClockColumn, ...] = ()
    audio: Audio | None = None
    sample_interval_s: float | None = Field(default=None, gt=0)
    state: tuple[Part, ...] = Field(min_length=1)
    outputs: tuple[Part, ...] = Field(min_length=1)
    head: dict[str, Any] = {}
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    fingerprint: str
    created: str
    training: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    parity: dict[str, float] = {}
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _audio_stands_alone(self) -> Manifest:
        if self.audio is not None and (len(self.features) != 1 or self.clock):
            raise ValueError("a row of audio has one feature, its samples, and no clock")
        return self

    @model_validator(mode="after")
    def _names_are_apart(self) -> Manifest:
        if len({feature.name for feature in self.features}) != len(self.features):
            raise ValueError("two input features have the same name")
        if len(set(self.clock)) != len(self.clock):
            raise ValueError(f"the clock has a column twice: {', '.join(self.clock)}")
        for field, parts in (("state", self.state), ("outputs", self.outputs)):
            names = [part.name for part in parts]
            if len(set(names)) != len(names):
                raise ValueError(f"two parts of {field} have the same name: {names}")
        taken = sorted(TAKEN_NAMES.intersection(part.name for part in self.outputs))
        if self.task == OUTPUTS_TASK and taken:
            raise ValueError(
                f"every record has {', '.join(taken)} already; outputs need other names (in a "
                "description: called)"
            )
        return self

    @property
    def input_width(self) -> int:
        """The floats in one row of x: the features, then the clock's columns; or the samples."""
        if self.audio is not None:
            return self.audio.chunk
        return len(self.features) + len(self.clock)

    @property
    def missing(self) -> tuple[int, ...]:
        """Where among the features are those that a row may lack."""
        return tuple(at for at, feature in enumerate(self.features) if feature.missing)

    @property
    def state_width(self) -> int:
        """D, the floats in one state row."""
        return sum(part.width for part in self.state)

    @property
    def output_width(self) -> int:
        """K, the floats in one row of y."""
        return sum(part.width for part in self.outputs)

    def initial_state(self) -> Float32:
        """The state row [D] of a stream that has seen nothing."""
        pieces = [
            np.broadcast_to(np.asarray(part.initial, np.float32), part.width) for part in self.state
        ]
        return np.concatenate(pieces).astype(np.float32)

    def output_slice(self, name: str) -> slice:
        """The columns of y that hold the part ``name``; raises BundleError if there is none."""
        start = 0
        for part in self.outputs:
            if part.name == name:
                return slice(start, start + part.width)
            start += part.width
        have = ", ".join(part.name for part in self.outputs)
        raise BundleError(f"{self.name}: no output part {name!r}; the bundle has: {have}")

    def to_json(self) -> str:
        """The text stored under ``METADATA_KEY``."""
        return self.model_dump_json()


def parse_manifest(text: str, where: str) -> Manifest:
    """Validate a manifest's JSON; ``where`` names the file in errors (BundleError)."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise BundleError(f"{where}: the manifest is not JSON: {error}") from error
    version = raw.get("format") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise BundleError(
            f"{where}: manifest format {version} is newer than this streamcell reads ({FORMAT}); "
            "upgrade streamcell, or export the bundle again with this version"
        )
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'manifest'}: {item['msg']}"
            for item in error.errors()
        )
        raise BundleError(f"{where}: the manifest is not valid: {problems}") from error


def state_fingerprint(state: tuple[Part, ...], graph: bytes) -> str:
    """Names the states a graph makes: by layout and arithmetic, whatever the thresholds."""
    layout = json.dumps([part.model_dump() for part in state], sort_keys=True)
    return hashlib.sha256(layout.encode() + b"\0" + graph).hexdigest()[:32]
