"""Somebody else's model: an ONNX graph without a manifest, and a TOML that says how to serve it.

The TOML names what the runtime can't know: which inputs are state and which outputs the state
after the step, where their batch axis is, what a new stream starts from, what is constant.
"""

from __future__ import annotations

import math
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import BundleError
from pipeline.manifest import OUTPUTS_TASK, Audio, Feature, Manifest, Part, state_fingerprint

MAX_DESCRIPTION_BYTES = 1 << 20
MAX_MODEL_BYTES = 1 << 30  # as a bundle
CONTEXT = "context"  # the state part that holds the end of the row before


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Input(_Table):
    """The input that takes the rows: [B, F], or [B, *shape].

    The last ``context`` values of the stream's row before come in front of each row (zeros in
    front of its first).
    """

    name: str
    context: int = Field(default=0, ge=0)
    shape: tuple[int, ...] | None = None


class Recurrent(_Table):
    """One piece of state: a stream's ``shape``, into which the batch goes at ``batch_axis``."""

    input: str
    output: str
    shape: tuple[int, ...] = Field(min_length=1)
    batch_axis: int = Field(default=0, ge=0)
    initial: float | tuple[float, ...] = 0.0

    @model_validator(mode="after")
    def _axis_is_there(self) -> Recurrent:
        if self.batch_axis > len(self.shape):
            raise ValueError(f"batch_axis {self.batch_axis} is beyond shape {list(self.shape)}")
        return self


class Constant(_Table):
    """An input that is the same in every step; not a tensor of the batch."""

    input: str
    value: float | list[float]
    dtype: Literal["float32", "float64", "int32", "int64", "bool"] = "float32"


class Output(_Table):
    """An output that is reported: a stream's ``shape``; ``called`` is its name in the records."""

    name: str
    called: str | None = None
    shape: tuple[int, ...] = ()
    batch_axis: int = Field(default=0, ge=0)


class Description(_Table):
    """The whole TOML; rows are ``features`` or ``audio``."""

    name: str = Field(min_length=1)
    model: str = Field(min_length=1)
    task: str = OUTPUTS_TASK
    features: tuple[str, ...] = ()
    audio: Audio | None = None
    input: Input
    state: tuple[Recurrent, ...] = ()
    constant: tuple[Constant, ...] = ()
    output: tuple[Output, ...] = Field(min_length=1)
    head: dict[str, Any] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Description:
        if bool(self.features) == (self.audio is not None):
            raise ValueError("give either features = [names] or [audio], and not both")
        if not self.state and not self.input.context:
            raise ValueError("a model without [[state]] and without input.context keeps nothing")
        shape = self.input.shape
        if shape is not None and math.prod(shape) != self.width + self.input.context:
            raise ValueError(
                f"input.shape {list(shape)} does not hold {self.width + self.input.context} values"
            )
        return self

    @property
    def width(self) -> int:
        """The values of one row."""
        return len(self.features) if self.audio is None else self.audio.chunk


def read_description(path: Path) -> tuple[Description, Path, Manifest, bytes]:
    """A description, its model's path, the manifest it amounts to, and the model's bytes.

    Raises BundleError with every problem of the file.
    """
    try:
        content, _ = _read(path, MAX_DESCRIPTION_BYTES, "a description")
    except OSError as error:
        raise BundleError(f"{path}: can't read the description: {error.strerror}") from error
    try:
        raw = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: not a TOML file: {error}") from error
    try:
        found = Description.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors()
        )
        raise BundleError(f"{path}: the description is not valid: {problems}") from error
    model_path = path.parent / found.model
    try:
        model, changed = _read(model_path, MAX_MODEL_BYTES, "a model")
    except OSError as error:
        raise BundleError(f"{path}: can't read the model {model_path}: {error.strerror}") from error
    try:
        manifest = _manifest(found, model, changed)
    except ValidationError as error:
        problems = "; ".join(item["msg"] for item in error.errors())
        raise BundleError(f"{path}: the description is not valid: {problems}") from error
    return found, model_path, manifest, model


def _read(path: Path, most: int, what: str) -> tuple[bytes, float]:
    """A file's bytes and when it changed, in s; BundleError where it has more than ``most``."""
    stat = path.stat()
    if stat.st_size > most:
        raise BundleError(f"{path}: {stat.st_size:,} bytes, {what} has at most {most:,}")
    return path.read_bytes(), stat.st_mtime


def _manifest(found: Description, model: bytes, changed: float) -> Manifest:
    """What a bundle of this model would say of itself; ``changed`` is the file's time, in s."""
    state = [Part(name=CONTEXT, shape=(found.input.context,))] if found.input.context else []
    state += [Part(name=one.input, shape=one.shape, initial=one.initial) for one in found.state]
    outputs = [Part(name=one.called or one.name, shape=one.shape) for one in found.output]
    return Manifest(
        name=found.name,
        task=found.task,
        features=tuple(Feature(name=name) for name in found.features or ("audio",)),
        audio=found.audio,
        state=tuple(state),
        outputs=tuple(outputs),
        head=found.head,
        fingerprint=state_fingerprint(tuple(state), model),
        created=datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds"),
    )
