"""Which parameters suit a detector and a motion model: a coarse search, one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.tracking.params import TrackingParams

Grid = Mapping[str, Sequence[float | str]]


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best parameters found, what they reached, and after how many trials."""

    params: TrackingParams
    value: float
    trials: int


def tune(
    judge: Callable[[TrackingParams], float],
    start: TrackingParams,
    grid: Grid,
    *,
    rounds: int = 2,
) -> Tuned:
    """Coordinate search for the highest ``judge``: ``grid`` in its order, ``rounds`` times.

    Combinations that are no valid parameters are left out, and nothing is judged twice. It ends
    early after a round that found nothing better.
    """
    known: dict[str, float] = {}

    def value_of(params: TrackingParams) -> float:
        name = params.model_dump_json()
        if name not in known:
            known[name] = judge(params)
        return known[name]

    best, reached = start, value_of(start)
    for _ in range(rounds):
        before = reached
        for name, values in grid.items():
            for value in values:
                try:
                    params = TrackingParams.model_validate(best.model_dump() | {name: value})
                except ValueError:
                    continue  # such as a weak score above the confident one
                if (found := value_of(params)) > reached:
                    best, reached = params, found
        if reached == before:
            break
    return Tuned(best, reached, len(known))
