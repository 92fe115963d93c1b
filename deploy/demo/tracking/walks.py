"""Who is where when: people come from the sides and from afar, and go again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from deploy.demo.tracking.people import Look
from deploy.demo.tracking.places import FAR_M, NEAR_M, Place
from pipeline.block import Float32

STEP_S = 0.05
OUTSIDE_M = 0.5  # beyond the picture's edge, where walks begin and end
PAUSES, IN_PAIRS = 0.15, 0.25  # shares of all walks


@dataclass(frozen=True, slots=True)
class Walk:
    """One person's way: ``points [T, 2]``, metres across and away, one each STEP_S."""

    person: int
    look: Look
    start_s: float
    points: Float32

    @property
    def end_s(self) -> float:
        """When the person is gone."""
        return self.start_s + (len(self.points) - 1) * STEP_S

    def at(self, time_s: float) -> tuple[float, float, float, float]:
        """Metres across, away, walked so far, and how much it is a walk to the side, -1 to 1."""
        at = (time_s - self.start_s) / STEP_S
        low = min(int(at), len(self.points) - 2)
        before, after = self.points[low], self.points[low + 1]
        across, away = (before + (at - low) * (after - before)).tolist()
        steps = np.diff(self.points[: low + 2], axis=0)
        walked = float(np.hypot(steps[:, 0], steps[:, 1]).sum())
        ahead = self.points[min(low + 8, len(self.points) - 1)] - self.points[max(0, low - 8)]
        length = math.hypot(*ahead.tolist())
        return across, away, walked, float(ahead[0]) / length if length > 0.05 else 0.0


def walks(place: Place, seconds: float, each_s: float, rng: np.random.Generator) -> list[Walk]:
    """People that come for ``seconds``, one in ``each_s`` on average, by themselves or in pairs."""
    found: list[Walk] = []
    start = -6.0  # some are there when it begins
    while (start := start + rng.exponential(each_s)) < seconds:
        points = _way(place, rng)
        found.append(Walk(len(found) + 1, Look.drawn(rng), start, points))
        if rng.random() < IN_PAIRS:
            beside = rng.uniform(0.45, 0.7, 2) * rng.choice((-1.0, 1.0), 2)
            beside[1] *= 0.4
            points = (points + beside).astype(np.float32)
            found.append(Walk(len(found) + 1, Look.drawn(rng), start + 0.15, points))
    return found


def _way(place: Place, rng: np.random.Generator) -> Float32:
    """From one side to another, by a point in between, at a walking pace with an odd pause."""
    first, last = rng.choice(("left", "right", "far"), 2, p=(0.42, 0.42, 0.16))
    if first == last:
        last = {"left": "right", "right": "left", "far": "left"}[str(first)]
    away = rng.uniform(NEAR_M + 1, FAR_M - 2)
    edge = place.edge_m(away)
    by = np.array([rng.uniform(-0.5, 0.5) * edge, away])
    stops = np.array([_gate(place, str(first), rng), by, _gate(place, str(last), rng)])
    # A curve through the three, walked evenly.
    share = np.linspace(0, 1, 400)[:, None]
    bend = 2 * by - (stops[0] + stops[2]) / 2
    curve = (1 - share) ** 2 * stops[0] + 2 * share * (1 - share) * bend + share**2 * stops[2]
    curve[:, 1] = np.clip(curve[:, 1], NEAR_M, FAR_M)
    lengths = np.concatenate([[0], np.hypot(*np.diff(curve, axis=0).T).cumsum()])
    speed = rng.uniform(0.9, 1.6)
    times = np.arange(0, lengths[-1] / speed, STEP_S)
    pace = speed * times + 0.04 * np.sin(2 * np.pi * times / rng.uniform(2, 4))
    if rng.random() < PAUSES:
        held = int(rng.integers(len(pace) // 4, 3 * len(pace) // 4))
        pace = np.insert(pace, held, np.full(int(rng.uniform(1, 2.5) / STEP_S), pace[held]))
    found = [np.interp(pace, lengths, curve[:, axis]) for axis in (0, 1)]
    return np.stack(found, axis=1).astype(np.float32)


def _gate(place: Place, side: str, rng: np.random.Generator) -> tuple[float, float]:
    """Where a walk begins or ends."""
    if side == "far":
        return rng.uniform(-0.6, 0.6) * place.edge_m(FAR_M), FAR_M
    away = rng.uniform(NEAR_M + 0.5, FAR_M - 2)
    across = place.edge_m(away) + OUTSIDE_M
    return (-across if side == "left" else across), away
