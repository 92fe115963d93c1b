"""One frame of the prefix beam search: which hypotheses follow from which, and which are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.block import Bool
from pipeline.heads.speech.clock import Float64
from pipeline.heads.speech.language import LanguageModel

Columns = dict[str, npt.NDArray[Any]]
Places = npt.NDArray[np.intp]

FACTOR = np.uint64(0xD1342543DE82EF95)  # odd: a rolling hash loses nothing by it
NOTHING = -np.inf


class Scores:
    """What symbols cost beside the sound: ``weight`` times the language model, and ``bonus``."""

    def __init__(
        self, symbols: int, model: LanguageModel | None, weight: float, bonus: float
    ) -> None:
        self.symbols = symbols
        self.start = 0 if model is None else model.start
        self._bonus = bonus
        self._model = model
        if model is not None:
            self._table = (model.log_probs * np.float64(weight)).astype(np.float64)

    def of(self, context: Places, symbols: Places) -> Float64:
        """For each symbol [A, C] after each context [A, W]: [A, W, C]."""
        if self._model is None:
            return np.full((*context.shape, symbols.shape[1]), self._bonus)
        found: Float64 = self._table[context[:, :, None], symbols[:, None, :]] + self._bonus
        return found

    def following(self, context: Places, symbol: Places) -> Places:
        """The contexts after ``symbol``, both of one shape."""
        if self._model is None:
            return context
        return self._model.next[context, symbol].astype(np.intp)

    def ends(self, context: Places) -> Float64:
        """What it costs that the utterance ends in these contexts."""
        if self._model is None:
            return np.zeros(len(context))
        found: Float64 = self._table[context, 0]
        return found


@dataclass(frozen=True, slots=True)
class Kept:
    """The hypotheses [A, W] after a frame, best first, and where their tokens come from.

    ``origin`` is the place of the hypothesis whose tokens this one goes on from; ``added`` where
    its last symbol comes after them, ``held`` where the frame was most likely the last symbol's.
    """

    now: Columns
    origin: Places
    added: Bool
    held: Bool


def extended(now: Columns, log_probs: Float64, scores: Scores) -> Kept:
    """Hypotheses [A, W] after a frame of ``log_probs [A, V]``: as many, the most probable ones."""
    blank, spoken, last = now["blank"], now["spoken"], now["last"]
    streams, width = blank.shape
    total = np.logaddexp(blank, spoken)
    # A hypothesis that stays as it is: by a blank, or by its last symbol going on.
    stays_blank = total + log_probs[:, :1]
    stays_spoken = spoken + np.take_along_axis(log_probs, last, axis=1)
    held = stays_spoken > stays_blank

    picked = _most_probable(log_probs, scores.symbols)
    heard = np.take_along_axis(log_probs, picked, axis=1)
    # The last symbol is said again only after a blank.
    again = picked[:, None, :] == last[:, :, None]
    grows = np.where(again, blank[:, :, None], total[:, :, None]) + heard[:, None, :]
    origin = np.broadcast_to(np.arange(width), (streams, width)).copy()
    rejoined = np.zeros((streams, width), np.bool_)
    _merge(now, total, log_probs, picked, stays_blank, stays_spoken, grows, origin, rejoined)

    added = scores.of(now["context"], picked)
    rank = np.concatenate(
        [
            np.logaddexp(stays_blank, stays_spoken) + now["prior"],
            (grows + now["prior"][:, :, None] + added).reshape(streams, -1),
        ],
        axis=1,
    )
    chosen, alive = _best(rank, width)
    stays = chosen < width
    candidate = np.maximum(chosen - width, 0)
    source = np.where(stays, chosen, candidate // picked.shape[1])
    row = np.arange(streams)[:, None]
    symbol = picked[row, candidate % picked.shape[1]]

    def after(stay: npt.NDArray[Any], grow: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.where(stays, stay[row, source], grow)

    of_parent = now["hash"][row, source]
    context = now["context"][row, source]
    sound = grows.reshape(streams, -1)[row, candidate]
    prior = now["prior"][row, source] + added.reshape(streams, -1)[row, candidate]
    next_blank = np.where(stays & alive, stays_blank[row, source], NOTHING)
    next_spoken = np.where(alive, after(stays_spoken, sound), NOTHING)
    most = np.maximum(next_blank, next_spoken).max(axis=1, keepdims=True)
    grown = {
        "blank": next_blank - most,
        "spoken": next_spoken - most,
        "prior": after(now["prior"], prior),
        "context": after(now["context"], scores.following(context, symbol)),
        "last": after(last, symbol),
        "length": after(now["length"], now["length"][row, source] + 1),
        "hash": after(now["hash"], hash_after(of_parent, symbol)),
        "parent": after(now["parent"], of_parent),
    }
    for name in ("prior", "context", "last", "length", "hash", "parent"):
        grown[name] = np.where(alive, grown[name], 0).astype(now[name].dtype)
    return Kept(
        grown,
        np.where(stays, origin[row, source], source),
        alive & after(rejoined, np.ones_like(stays)),
        alive & stays & ~rejoined[row, source] & held[row, source],
    )


def hash_after(parent: npt.NDArray[np.uint64], symbol: Places) -> npt.NDArray[np.uint64]:
    """The hash of prefixes with a symbol more."""
    return (parent + symbol.astype(np.uint64)) * FACTOR


def _merge(
    now: Columns,
    total: Float64,
    log_probs: Float64,
    picked: Places,
    stays_blank: Float64,
    stays_spoken: Float64,
    grows: Float64,
    origin: Places,
    rejoined: Bool,
) -> None:
    """Where a hypothesis is another one with a symbol more, add that way to it, in place.

    The tokens are those of the more probable way; the way is no candidate of its own any more.
    """
    of = (now["parent"][:, :, None] == now["hash"][:, None, :]) & (now["length"] > 0)[:, :, None]
    row, child, parent = np.nonzero(of)
    if not len(row):
        return
    symbol = now["last"][row, child]
    again = symbol == now["last"][row, parent]
    way = np.where(again, now["blank"][row, parent], total[row, parent]) + log_probs[row, symbol]
    by_itself = np.logaddexp(stays_blank[row, child], stays_spoken[row, child])
    better = way > by_itself
    origin[row[better], child[better]] = parent[better]
    rejoined[row[better], child[better]] = True
    stays_spoken[row, child] = np.logaddexp(stays_spoken[row, child], way)
    match, place = np.nonzero(picked[row] == symbol[:, None])
    grows[row[match], parent[match], place] = NOTHING


def _most_probable(log_probs: Float64, symbols: int) -> Places:
    """The ``symbols`` most probable symbols [A, C] of frames [A, V] but the blank, in any order."""
    most = log_probs.shape[1] - 1
    if symbols >= most:
        return np.broadcast_to(np.arange(1, most + 1), (len(log_probs), most))
    found: Places = np.argpartition(-log_probs[:, 1:], symbols - 1, axis=1)[:, :symbols] + 1
    return found


def _best(rank: Float64, width: int) -> tuple[Places, Bool]:
    """The ``width`` highest ranked candidates [A, W], best first, and which of them there are."""
    found = np.argpartition(-rank, width - 1, axis=1)[:, :width]
    highest = np.take_along_axis(rank, found, axis=1)
    order = np.argsort(-highest, axis=1, kind="stable")
    best = np.take_along_axis(highest, order, axis=1)
    return np.take_along_axis(found, order, axis=1), best > NOTHING
