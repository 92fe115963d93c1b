"""What was heard against what was said, and against the same model run without a pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deploy.demo.speech.listener import Final
from deploy.demo.speech.voices import Voice
from trainer.speech.words.errors import word_errors


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts over all streams; latencies are from sample captured to result, in ms.

    ``lost`` utterances came out of the model alone, and not out of the pipeline; ``stray`` ones
    the other way round; ``doubled`` ones came twice; ``different`` ones have another text (sums
    in another order may round a near tie the other way).
    """

    strings: int
    words: int
    substituted: int
    deleted: int
    inserted: int
    finals: int
    lost: int
    stray: int
    doubled: int
    different: int
    latency_p50_ms: float | None
    latency_p99_ms: float | None

    @property
    def error(self) -> float:
        """The word error rate."""
        return (self.substituted + self.deleted + self.inserted) / max(1, self.words)

    @property
    def good(self) -> bool:
        """Whether the pipeline said exactly what the model says."""
        return not (self.lost or self.stray or self.doubled)

    def numbers(self) -> dict[str, Any]:
        """For the report."""
        return asdict(self) | {"word_error": self.error}


def judge(
    voices: Sequence[Voice],
    finals: Sequence[Final],
    alone: Mapping[str, Sequence[tuple[int, str]]],
) -> Verdict:
    """``alone`` has each stream's utterances, (number, text), as the model alone gives them."""
    heard: dict[str, list[Final]] = {voice.key.decode(): [] for voice in voices}
    for final in finals:
        heard.setdefault(final.stream, []).append(final)
    came = Counter((final.stream, final.utterance) for final in finals)
    due = {(key, number): text for key, some in alone.items() for number, text in some}
    said = [" ".join(one.text for one in voice.said) for voice in voices]
    texts = [_joined(heard[voice.key.decode()]) for voice in voices]
    errors = word_errors(said, texts)
    late = [final.latency_ms for final in finals]
    p50, p99 = np.percentile(late, [50, 99]).tolist() if late else (None, None)
    return Verdict(
        strings=sum(len(voice.said) for voice in voices),
        words=errors.words,
        substituted=errors.substitutions,
        deleted=errors.deletions,
        inserted=errors.insertions,
        finals=len(came),
        lost=len(due.keys() - came.keys()),
        stray=len(came.keys() - due.keys()),
        doubled=sum(count - 1 for count in came.values()),
        different=sum(
            due.get((final.stream, final.utterance), final.text) != final.text for final in finals
        ),
        latency_p50_ms=p50,
        latency_p99_ms=p99,
    )


def _joined(finals: Sequence[Final]) -> str:
    return " ".join(final.text for final in sorted(finals, key=lambda one: one.utterance))
