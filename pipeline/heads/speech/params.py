"""What the manifest says to the speech heads, and how they read a step's outputs."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.block import Bool, Float32
from pipeline.errors import BundleError
from pipeline.manifest import Manifest

PART = "log_probs"  # of the bundle's outputs, (T, V)
GATE = "gate"  # of the bundle's outputs, (open, probability of speech); optional
MAX_LABELS = 1 << 16
MAX_OFFSET = (1 << 16) - 1  # frames from an utterance's begin, as they are stored

Probability = Annotated[float, Field(gt=0, le=1)]


class _Speech(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    labels: tuple[str, ...] = Field(min_length=2, max_length=MAX_LABELS)
    frame_s: float = Field(gt=0, le=1)
    delay_s: float = Field(default=0.0, ge=0, le=10)

    @model_validator(mode="after")
    def _labels_fit(self) -> _Speech:
        if self.labels[0] != "":
            raise ValueError(f'labels[0] is {self.labels[0]!r}, it must be "" (nothing)')
        if "" in self.labels[1:]:
            raise ValueError('labels has "" twice')
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels has a label twice")
        return self

    def frames(self, seconds: float) -> int:
        """How many output frames make up ``seconds``, at least one."""
        return max(1, round(seconds / self.frame_s))


class KeywordsParams(_Speech):
    """The manifest's ``head`` of a keyword model; symbol 0 is "no keyword".

    A keyword's score is its posterior, averaged over the last ``smooth_s``; ``thresholds`` has one
    for each keyword. For ``refractory_s`` after a report the same keyword is not reported again.
    """

    form: Literal["keywords"]
    thresholds: tuple[Probability, ...]
    smooth_s: float = Field(ge=0, le=10)
    refractory_s: float = Field(ge=0, le=3600)

    @model_validator(mode="after")
    def _thresholds_fit(self) -> KeywordsParams:
        keywords = len(self.labels) - 1
        if len(self.thresholds) != keywords:
            raise ValueError(f"{len(self.thresholds)} thresholds for {keywords} keywords")
        return self


class WordsParams(_Speech):
    """The manifest's ``head`` of a CTC model; symbol 0 is the blank.

    With ``separator`` "" labels are characters and " " is the break between words; with " " every
    label is a word. ``beam`` 1 is greedy decoding; more are the hypotheses of a prefix beam search,
    each of which is extended by the ``beam_symbols`` most probable symbols of a frame. ``lm`` is a
    language model (``language.py``), whose log-probabilities count ``lm_weight``-fold, and every
    symbol adds ``insertion_bonus``, in nats. An utterance ends after ``endpoint_s`` without a
    symbol, or when it is ``max_utterance_s`` long.
    """

    form: Literal["words"]
    separator: Literal["", " "]
    beam: int = Field(default=1, ge=1, le=64)
    beam_symbols: int = Field(default=8, ge=1, le=MAX_LABELS)
    lm: dict[str, Any] | None = None
    lm_weight: float = Field(default=0.0, ge=0, le=10)
    insertion_bonus: float = Field(default=0.0, ge=-20, le=20)
    endpoint_s: float = Field(default=0.8, gt=0, le=60)
    max_utterance_s: float = Field(default=20.0, gt=0, le=600)

    @model_validator(mode="after")
    def _fits(self) -> WordsParams:
        if self.beam == 1 and self.lm is not None:
            raise ValueError("beam 1 decodes greedily, without the lm; set beam to 2 or more")
        if strange := [label for label in self.labels if " " in label and label != self.word_break]:
            raise ValueError(f"labels has {strange[0]!r}: no label has a space within it")
        if self.frames(self.max_utterance_s) + self.frames(self.endpoint_s) > MAX_OFFSET:
            raise ValueError(
                f"max_utterance_s and endpoint_s are more than {MAX_OFFSET:,} frames of "
                f"{self.frame_s:g} s"
            )
        return self

    @property
    def word_break(self) -> str:
        """The label between words, "" where every label is one."""
        return " " if self.separator == "" else ""

    @property
    def pause(self) -> int:
        """The symbol between words, 0 where there is none."""
        return self.labels.index(" ") if self.separator == "" and " " in self.labels else 0


class Outputs:
    """Where in a row of y the log-probabilities and the gate are.

    Raises BundleError where the manifest's outputs don't fit the head's labels and frames.
    """

    def __init__(self, manifest: Manifest, params: _Speech) -> None:
        name = manifest.name
        self._part = manifest.output_slice(PART)
        (shape,) = (part.shape for part in manifest.outputs if part.name == PART)
        labels = len(params.labels)
        if len(shape) != 2 or shape[1] != labels:
            raise BundleError(
                f"{name}: output part {PART!r} has the shape {shape}, the speech head needs "
                f"(frames, {labels}): one column for each of its labels"
            )
        self.frames = shape[0]
        self._shape = shape
        audio = manifest.audio
        if audio is not None and not math.isclose(
            self.frames * params.frame_s, audio.chunk_s, rel_tol=1e-6
        ):
            raise BundleError(
                f"{name}: {self.frames} output frames of head.frame_s {params.frame_s:g} s do not "
                f"make up a row of {audio.chunk} samples, {audio.chunk_s:g} s"
            )
        gates = [part.shape for part in manifest.outputs if part.name == GATE]
        if gates not in ([], [(2,)]):
            raise BundleError(
                f"{name}: output part {GATE!r} has the shape {gates[0]}, the speech head needs "
                "(2,): open, probability of speech"
            )
        self._open = manifest.output_slice(GATE).start if gates else None

    def read(self, y: Float32) -> tuple[Float32, Bool | None]:
        """Of ``y [N, K]`` the log-probabilities [N, T, V], and where the gate is closed [N]."""
        log_probs = np.ascontiguousarray(y[:, self._part]).reshape(len(y), *self._shape)
        return log_probs, None if self._open is None else y[:, self._open] == 0
