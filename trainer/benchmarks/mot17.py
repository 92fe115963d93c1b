"""Tracking benchmarks: five sequences of MOT17 with the detections of DPM, and PETS 2009 S2.L1.

MOT17 (Milan et al., "MOT16: A Benchmark for Multi-Object Tracking", 2016; no pictures): whatever is
learned or chosen comes from the first half of each sequence, and the second halves are scored, each
from its first frame with nothing before it. PETS (Ferryman and Shahrokni, 2009) with the detections
of a Faster R-CNN: frames 401 to 500, nothing is chosen on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataError
from pipeline.tracking.params import TrackingParams
from trainer.fit import Progress
from trainer.tracking.judge import Judge
from trainer.tracking.mot import read_mot, write_mot
from trainer.tracking.score import objective, total
from trainer.tracking.tune import Grid, Tuned, tune
from trainer.tracking.video import Clip, Video, make_video, read_videos

PETS_FRAMES = (401, 500)
FLOORS = {"MOTA": 27.0, "IDF1": 40.0, "HOTA": 32.0}
MOST_SWITCHES = 150
LEAST_FPS = 300.0

START = TrackingParams(
    confident=0.45,
    weak=0.4,
    born=0.55,
    min_hits=3,
    max_misses=45,
    coast=4,
    report="estimated",
    recent=3,
    born_overlap=0.25,
)
GRID: Grid = {
    "confident": (0.45, 0.5, 0.55),
    "born": (0.5, 0.55, 0.6),
    "coast": (4, 8, 12),
    "born_overlap": (0.1, 0.15, 0.25),
    "gate": (3.0, 4.0, 6.0),
    "motion_weight": (0.1, 0.2, 0.4),
    "max_misses": (45, 60, 90),
    "recent": (3, 5, 10),
    "weak": (0.35, 0.4, 0.45),
    "min_hits": (1, 2, 3),
    "overlap": (0.1, 0.2, 0.3),
    "weak_overlap": (0.5, 0.6, 0.7),
    "report": ("detected", "estimated"),
}
ROUNDS = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A tracker's results: a MOT file for each clip, and the CPU seconds inside its step."""

    tracker: str
    settings: str
    files: tuple[Path, ...]
    seconds: float


def load_mot17(folder: Path) -> tuple[Video, ...]:
    """The sequences of ``folder``; raises DataError. DPM's scores have no upper limit."""
    return read_videos(folder, logistic=True)


def load_pets(folder: Path) -> tuple[Video, ...]:
    """PETS 2009 S2.L1, view 1, 768 x 576 at 10 frames a second; raises DataError."""
    truth, found = folder / "gt_frames_001-500.txt", folder / "det_fasterrcnn.txt"
    for path in (truth, found):
        if not path.is_file():
            raise DataError(f"{path}: no such file; the benchmark's folder has it")
    video = make_video("PETS-S2L1", truth, found, size=(768, 576), frame_rate=10.0)
    return (video,)


def first_halves(videos: Sequence[Video]) -> list[Clip]:
    """Frames 1 .. N // 2 of each."""
    return [video.clip(1, video.last // 2) for video in videos]


def second_halves(videos: Sequence[Video]) -> list[Clip]:
    """The frames after those."""
    return [video.clip(video.last // 2 + 1, video.last) for video in videos]


def tuned(judge: Judge, clips: Sequence[Clip], progress: Progress) -> Tuned:
    """The parameters that suit ``clips`` best by the mean of MOTA, IDF1 and HOTA."""
    progress.stage("choosing parameters", ROUNDS * sum(map(len, GRID.values())))

    def reached(params: TrackingParams) -> float:
        value = objective(judge.tally(clips, params))
        progress.advance(f"{value:.2f}")
        return value

    return tune(reached, START, GRID, rounds=ROUNDS)


def run(
    judge: Judge, name: str, clips: Sequence[Clip], params: TrackingParams, folder: Path
) -> Entry:
    """Track every clip; the results go to ``folder``."""
    files, seconds = [], 0.0
    for clip in clips:
        followed = judge.follow(clip, params)
        files.append(folder / f"{name}-{clip.video.name}.txt")
        write_mot(files[-1], followed.rows)
        seconds += followed.seconds
    return Entry(name, "own", tuple(files), seconds)


def scores(entry: Entry, clips: Sequence[Clip]) -> dict[str, float]:
    """The figures of an entry, all clips together, and ``FPS``."""
    pairs = zip(clips, entry.files, strict=True)
    figures = total(clip.truth.score(read_mot(file)) for clip, file in pairs).scores()
    return figures | {"FPS": fps(entry, clips)}


def fps(entry: Entry, clips: Sequence[Clip]) -> float:
    """Frames per CPU second inside the tracker's step: others may use the machine meanwhile."""
    return sum(len(clip.frames) for clip in clips) / max(entry.seconds, 1e-9)
