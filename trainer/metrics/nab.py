"""The scorer of the Numenta Anomaly Benchmark, version 1.1.

Method: Lavin and Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms: the Numenta Anomaly
Benchmark" (2015). Every labelled window is worth one reward, given for the first detection in it
and larger the earlier that comes; every detection outside a window costs, less shortly after a
window than far from one. The first rows of each file (probation) are not scored. One threshold,
the best one, holds for all files of the corpus, and the raw sum is put on a scale where a
detector that never fires has 0 and one that finds every window at its first row has 100.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

PROBATION_SHARE = 0.15
PROBATION_LIMIT = 750


@dataclass(frozen=True, slots=True)
class Profile:
    """What a found window earns (``tp``), what a missed one and a false alarm cost."""

    name: str
    tp: float
    fn: float
    fp: float


STANDARD = Profile("standard", 1.0, 1.0, 0.11)
PROFILES = (
    STANDARD,
    Profile("reward_low_FP_rate", 1.0, 1.0, 0.22),
    Profile("reward_low_FN_rate", 1.0, 2.0, 0.11),
)


@dataclass(frozen=True, slots=True)
class Scored:
    """One file: its anomaly scores [T], higher is worse, and windows [K, 2], first and last row."""

    name: str
    score: Float64
    windows: Int64


@dataclass(frozen=True, slots=True)
class FileScore:
    """What one file adds to the raw score at the corpus' threshold."""

    name: str
    raw: float
    found: int
    missed: int
    false_alarms: int


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """The benchmark's figure for one profile: ``score`` 0 (null) to 100 (perfect)."""

    profile: str
    score: float
    raw: float
    threshold: float
    files: tuple[FileScore, ...]


def probation_rows(rows: int) -> int:
    """How many rows at a file's start are not scored, and may be learned from."""
    return int(min(np.floor(PROBATION_SHARE * rows), PROBATION_SHARE * 5000))


def position_value(position: Float64) -> Float64:
    """Worth of a detection, 1 to −1, by its place relative to a window.

    ``position`` is −1 at the window's first row, 0 just after its last, and grows by 1 for each
    width of the window beyond that; past 3 a detection has nothing to do with the window.
    """
    value = 2.0 / (1.0 + np.exp(5.0 * np.minimum(position, 3.0))) - 1.0
    return np.where(position > 3.0, -1.0, value)


def row_values(rows: int, windows: Int64) -> tuple[Float64, Int64]:
    """Each row's worth [T] if it fires, unweighted, and its window [T] (−1 outside all).

    A row in a window is worth at most 1, one outside at least −1. Windows are in order of time.
    """
    value = np.full(rows, -1.0)
    window = np.full(rows, -1, np.int64)
    top = float(position_value(np.array(-1.0)))
    last, width = None, 0
    for number, (first, stop) in enumerate(windows):
        if last is not None:
            value[last + 1 : first] = _after(last, width, int(first))
        last, width = int(stop), int(stop - first) + 1
        inside = np.arange(first, stop + 1)
        value[inside] = position_value(-(stop - inside + 1) / width) / top
        window[inside] = number
    if last is not None:
        value[last + 1 :] = _after(last, width, rows)
    return value, window


def _after(last: int, width: int, stop: int) -> Float64:
    """Worth of the rows between a window's last row and ``stop``."""
    return position_value((np.arange(last + 1, stop) - last) / max(width - 1, 1))


def score_corpus(
    files: Sequence[Scored], profiles: Sequence[Profile] = PROFILES
) -> dict[str, CorpusScore]:
    """Score a corpus under each profile, with each profile's best threshold.

    A row fires if its score is at least the threshold; infinity (never firing) is a candidate.
    Raises ValueError on scores that are not finite or a corpus without windows.
    """
    corpus = _Corpus(files)
    return {profile.name: corpus.best(profile) for profile in profiles}


def score_at(
    files: Sequence[Scored],
    alarms: Mapping[str, npt.NDArray[np.bool_]],
    profiles: Sequence[Profile] = PROFILES,
) -> dict[str, CorpusScore]:
    """Score given alarms [T] per file instead of sweeping a threshold."""
    fired = [Scored(file.name, alarms[file.name].astype(float), file.windows) for file in files]
    corpus = _Corpus(fired)
    return {profile.name: corpus.at(profile, 1.0) for profile in profiles}


class _Corpus:
    """All scorable rows of all files, sorted by falling score, so that a sweep is a cumulative sum.

    ``gain`` [N] is what a row adds to the windows' rewards when the threshold falls to its score:
    the increase of its window's best worth so far.
    """

    def __init__(self, files: Sequence[Scored]) -> None:
        scores, values, windows, owners = [], [], [], []
        count = 0
        for number, file in enumerate(files):
            if not np.isfinite(file.score).all():
                raise ValueError(f"{file.name}: the anomaly scores are not all finite")
            value, window = row_values(len(file.score), file.windows)
            keep = slice(probation_rows(len(file.score)), None)
            scores.append(file.score[keep])
            values.append(value[keep])
            windows.append(np.where(window < 0, -1, window + count)[keep])
            owners.append(np.full(len(value[keep]), number))
            count += len(file.windows)
        if count == 0:
            raise ValueError("no file of the corpus has a labelled window")
        score = np.concatenate(scores)
        order = np.argsort(-score, kind="stable")
        self._names = [file.name for file in files]
        self._windows_of = np.array([len(file.windows) for file in files])
        self._score = score[order]
        self._value = np.concatenate(values)[order]
        self._window = np.concatenate(windows)[order]
        self._owner = np.concatenate(owners)[order]
        self._window_owner = np.repeat(np.arange(len(files)), self._windows_of)
        self._count = count

    def best(self, profile: Profile) -> CorpusScore:
        """The corpus at the threshold that is best for this profile."""
        inside = self._window >= 0
        change = np.where(inside, 0.0, self._value * profile.fp)
        by_window = np.argsort(self._window, kind="stable")[np.count_nonzero(~inside) :]
        starts = np.searchsorted(self._window[by_window], np.arange(self._count))
        for rows in np.split(by_window, starts[1:]):
            reached = np.maximum.accumulate(self._value[rows] * profile.tp)
            change[rows] = np.diff(reached, prepend=-profile.fn)
        last = np.flatnonzero(np.diff(self._score, append=-np.inf))
        raw = np.cumsum(change)[last]
        top = int(np.argmax(raw))
        if raw[top] <= 0.0:  # firing nowhere adds nothing, and is allowed
            return self.at(profile, np.inf)
        return self.at(profile, float(self._score[last[top]]))

    def at(self, profile: Profile, threshold: float) -> CorpusScore:
        """The corpus at one threshold, with each file's share."""
        fires = self._score >= threshold
        outside = fires & (self._window < 0)
        inside = fires & (self._window >= 0)
        reward = np.full(self._count, -profile.fn)
        np.maximum.at(reward, self._window[inside], self._value[inside] * profile.tp)
        hit = np.bincount(self._window[inside], minlength=self._count) > 0
        files = len(self._names)
        cost = np.bincount(self._owner[outside], self._value[outside] * profile.fp, files)
        raw = cost + np.bincount(self._window_owner, reward, files)
        found = np.bincount(self._window_owner, hit, files).astype(int)
        false_alarms = np.bincount(self._owner[outside], minlength=files)
        null, perfect = -profile.fn * self._count, profile.tp * self._count
        total = float(raw.sum())
        return CorpusScore(
            profile.name,
            100.0 * (total - null) / (perfect - null),
            total,
            threshold,
            tuple(
                FileScore(name, float(raw[i]), int(found[i]), int(missed), int(false_alarms[i]))
                for i, (name, missed) in enumerate(
                    zip(self._names, self._windows_of - found, strict=True)
                )
            ),
        )
