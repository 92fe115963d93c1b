"""N-gram language models over a model's own labels, as the automaton that the words head reads.

Interpolated as in Witten & Bell, "The zero-frequency problem" (1991): after a context that was seen
c times, followed by T different symbols, a symbol that followed it k times has the probability
(k + T p) / (c + T), where p is that after the context without its first symbol. The last of these,
before the empty context, is one over the number of symbols.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.heads.speech.language import MAX_CELLS, LanguageModel

ORDERS = range(1, 7)
MAX_STATES = 20_000
BEGIN = -1  # stands before the first symbol of a context
END = 0  # what follows the last symbol; the blank's number, which no transcript has

Context = tuple[int, ...]


def train_ngram(
    transcripts: Sequence[str],
    labels: Sequence[str],
    separator: str,
    order: int = 4,
    max_states: int = MAX_STATES,
) -> dict[str, Any]:
    """A manifest's ``lm``: the n-gram of these transcripts, each an utterance.

    ``labels`` and ``separator`` are the manifest's; ``order`` is n, 2 to 6 (1 forgets what came
    before). Where more than ``max_states`` contexts were seen the rarest ones are left out. Raises
    DataError where a transcript has what is no label, or there is none.
    """
    return language_model(transcripts, labels, separator, order, max_states).packed()


def language_model(
    transcripts: Sequence[str],
    labels: Sequence[str],
    separator: str,
    order: int = 4,
    max_states: int = MAX_STATES,
) -> LanguageModel:
    """The same, for use; its log-probabilities are not rounded yet."""
    if order not in ORDERS:
        raise DataError(f"an n-gram of order {order} can't be trained: n is 1 to {ORDERS[-1]}")
    if not transcripts:
        raise DataError("a language model needs transcripts to learn from: there are none")
    seen = _counted([symbols_of(text, labels, separator) for text in transcripts], order)
    kept = _most_seen(seen, min(max_states, MAX_CELLS // len(labels)))
    number = {context: at for at, context in enumerate(kept)}
    log_probs = np.zeros((len(kept), len(labels)))
    following = np.zeros((len(kept), len(labels)), np.int32)
    start = number.get((BEGIN,), 0)
    for context, at in number.items():  # shorter ones come first
        counts = np.zeros(len(labels))
        counts[list(seen[context])] = list(seen[context].values())
        back = number[context[1:]] if context else -1
        lower = np.exp(log_probs[back]) if context else np.full(len(labels), 1 / len(labels))
        kinds = np.count_nonzero(counts)
        log_probs[at] = np.log((counts + kinds * lower) / (counts.sum() + kinds))
        if context:
            following[at] = following[back]
        if len(context) < order - 1:
            for symbol in seen[context]:
                following[at, symbol] = number.get((*context, symbol), following[at, symbol])
        following[at, END] = start
    return LanguageModel(log_probs.astype(np.float32), following, start, order)


def perplexity(
    model: LanguageModel, transcripts: Sequence[str], labels: Sequence[str], separator: str
) -> float:
    """How many symbols the model takes for equally likely, on average, the ends counted as one."""
    total, count = 0.0, 0
    for text in transcripts:
        state = model.start
        for symbol in (*symbols_of(text, labels, separator), END):
            total += float(model.log_probs[state, symbol])
            state = int(model.next[state, symbol])
            count += 1
    return math.exp(-total / count)


def symbols_of(transcript: str, labels: Sequence[str], separator: str) -> list[int]:
    """A transcript as numbers of labels: of its words where ``separator`` is " ", else characters.

    Words are parted by one space, whatever space is between them. Raises DataError for what is
    no label.
    """
    words = transcript.split()
    pieces = words if separator == " " else list(" ".join(words))
    number = {label: at for at, label in enumerate(labels) if label}
    if unknown := sorted({piece for piece in pieces if piece not in number}):
        raise DataError(
            f"the transcript {transcript[:80]!r} has {unknown[0]!r}, which is no label of the "
            "model; its labels are: " + ", ".join(map(repr, list(number)[:40]))
        )
    return [number[piece] for piece in pieces]


def _counted(sequences: Sequence[Sequence[int]], order: int) -> dict[Context, Counter[int]]:
    """How often each symbol followed each context of up to ``order - 1`` symbols."""
    seen: dict[Context, Counter[int]] = {(): Counter()}
    for symbols in sequences:
        for context, symbol in _events(symbols, order):
            for at in range(len(context) + 1):
                seen.setdefault(context[at:], Counter())[symbol] += 1
    return seen


def _events(symbols: Sequence[int], order: int) -> Iterator[tuple[Context, int]]:
    """Every symbol and the end, each with the longest context before it."""
    whole = (BEGIN, *symbols, END)
    for at in range(1, len(whole)):
        yield whole[max(0, at - order + 1) : at], whole[at]


def _most_seen(seen: dict[Context, Counter[int]], most: int) -> list[Context]:
    """At most ``most`` contexts, shorter ones first.

    A context is never seen more often than a part of it, so with a context its parts are kept.
    """
    totals = {context: counts.total() for context, counts in seen.items()}
    least = 0
    if len(totals) > most:
        least = sorted(totals.values(), reverse=True)[most]
    kept = [context for context, total in totals.items() if total > least or not context]
    return sorted(kept, key=lambda context: (len(context), context))
