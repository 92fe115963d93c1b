"""Prefix beam search as it is written down: one stream, dictionaries, no arrays."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf, log

import numpy as np

from pipeline.block import Float32
from pipeline.heads.speech.language import LanguageModel

Prefix = tuple[int, ...]
CERTAIN = log(0.999)


def add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    return float(np.logaddexp(a, b))


@dataclass
class PlainBeam:
    """Give it frame after frame with ``step``; ``beams`` are (blank, spoken) of each prefix."""

    width: int
    symbols: int
    model: LanguageModel | None = None
    weight: float = 0.0
    bonus: float = 0.0
    beams: dict[Prefix, tuple[float, float]] = field(default_factory=lambda: {(): (0.0, -inf)})

    def prior(self, prefix: Prefix) -> float:
        """What the prefix costs beside the sound."""
        total = self.bonus * len(prefix)
        if self.model is not None:
            state = self.model.start
            for symbol in prefix:
                total += self.weight * float(self.model.log_probs[state, symbol])
                state = int(self.model.next[state, symbol])
        return total

    def end(self, prefix: Prefix) -> float:
        """What it costs that nothing follows."""
        if self.model is None:
            return 0.0
        state = self.model.start
        for symbol in prefix:
            state = int(self.model.next[state, symbol])
        return self.weight * float(self.model.log_probs[state, 0])

    def step(self, log_probs: Float32) -> None:
        """Extend all prefixes by a frame [V]."""
        frame = log_probs.astype(np.float64)
        if log_probs[0] >= CERTAIN:
            self.beams = {
                prefix: (add(blank, spoken), -inf) for prefix, (blank, spoken) in self.beams.items()
            }
            return
        likely = (np.argsort(-frame[1:])[: self.symbols] + 1).tolist()
        following: dict[Prefix, tuple[float, float]] = defaultdict(lambda: (-inf, -inf))

        def put(prefix: Prefix, blank: float, spoken: float) -> None:
            old = following[prefix]
            following[prefix] = (add(old[0], blank), add(old[1], spoken))

        for prefix, (blank, spoken) in self.beams.items():
            total = add(blank, spoken)
            put(prefix, total + frame[0], -inf)
            if prefix:
                put(prefix, -inf, spoken + frame[prefix[-1]])
            # Into a prefix that is kept already the way is open whatever its last symbol.
            kept = {other[-1] for other in self.beams if other and other[:-1] == prefix}
            for symbol in kept.union(likely):
                from_ = blank if prefix and symbol == prefix[-1] else total
                put((*prefix, symbol), -inf, from_ + frame[symbol])
        ranked = sorted(following, key=lambda one: -(add(*following[one]) + self.prior(one)))
        self.beams = {
            prefix: following[prefix]
            for prefix in ranked[: self.width]
            if add(*following[prefix]) > -inf
        }

    def best(self) -> Prefix:
        """The most probable prefix so far."""
        return max(self.beams, key=lambda one: add(*self.beams[one]) + self.prior(one))

    def whole(self) -> Prefix:
        """The most probable one as a whole utterance."""
        return max(
            self.beams,
            key=lambda one: add(*self.beams[one]) + self.prior(one) + self.end(one),
        )
