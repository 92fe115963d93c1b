"""The first step: a model of how drawn people move, as a bundle with a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.demo.run import Files
from deploy.demo.show import Show, TrainingBar
from deploy.demo.tracking.film import FRAMES_PER_S, Present, Shown, film
from deploy.demo.tracking.places import HEIGHT, PLACES, WIDTH, Place
from deploy.demo.tracking.teach import DETECTOR
from export.tracking import export_tracking
from pipeline.detect.base import Detections, Detector
from pipeline.detect.onnx import OnnxDetector
from pipeline.manifest import Manifest
from pipeline.tracking.params import TrackingParams
from trainer.report import write_report
from trainer.tracking.config import TrackingConfig
from trainer.tracking.data import read_recordings
from trainer.tracking.train import fit

FIRST_SEED = 2_000_000  # of these films; no others have them
SECONDS = 40.0
AT_ONCE = 16  # pictures that the detector is given
PARAMS = TrackingParams(
    confident=0.4, weak=0.15, born=0.5, min_hits=3, max_misses=2 * FRAMES_PER_S, coast=2
)


def train(
    places: Files, show: Show, *, epochs: int, seed: int, command: str, seconds: float = SECONDS
) -> Manifest:
    """Learn from what the detector finds in films; write the bundle and its report.

    The tracks that it learns from stay in the folder `tracks`, as the MOT challenge has them.
    """
    folder = places.folder / "tracks"
    detector = OnnxDetector(DETECTOR, layout="yolov8")
    with show.bar("detecting", len(PLACES)) as bar:
        for number, place in enumerate(PLACES):
            shown = list(film(place, seconds, FIRST_SEED + 100 * seed + number))
            found = write_tracks(place, shown, detector, folder / place.name)
            bar.to(number + 1, f"{place.name}: {found:,} boxes")
    detector.close()
    show.say(f"tracks with what the detector finds of them: {folder}")
    recordings = read_recordings(folder)
    config = TrackingConfig(
        epochs=epochs, patience=epochs, windows=2048, rows=32, longest_gap=15, seed=seed
    )
    with TrainingBar(show) as progress:
        trained = fit(
            recordings, config, PARAMS, workdir=places.folder / "training", progress=progress
        )
    manifest = export_tracking(trained, places.model, name=places.name)
    titled = {"title": "How people move", "command": command}
    write_report(places.training_report, {**trained.report, **titled})
    return manifest


def write_tracks(place: Place, shown: Sequence[Shown], detector: Detector, folder: Path) -> int:
    """Truth and detections of a film as MOT text in ``folder``; returns how many detections."""
    folder.mkdir(parents=True, exist_ok=True)
    truth: list[str] = []
    boxes: list[str] = []
    for first in range(0, len(shown), AT_ONCE):
        some = shown[first : first + AT_ONCE]
        found = detector.detect([one.picture for one in some], [place.name] * len(some))
        for frame, (one, seen) in enumerate(zip(some, found, strict=True), first + 1):
            truth += [_truth(frame, person) for person in one.present]
            boxes += _detected(frame, seen)
    (folder / "gt.txt").write_text("".join(truth), encoding="ascii")
    (folder / "det.txt").write_text("".join(boxes), encoding="ascii")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={place.name}\nframeRate={FRAMES_PER_S}\nseqLength={len(shown)}\n"
        f"imWidth={WIDTH}\nimHeight={HEIGHT}\n",
        encoding="ascii",
    )
    return len(boxes)


def _truth(frame: int, person: Present) -> str:
    left, top, width, height = person.box
    return (
        f"{frame},{person.person},{left:.2f},{top:.2f},{width:.2f},{height:.2f},1,1,"
        f"{person.visible:.3f}\n"
    )


def _detected(frame: int, found: Detections) -> list[str]:
    return [
        f"{frame},-1,{left:.2f},{top:.2f},{width:.2f},{height:.2f},{score:.4f},-1,-1,-1\n"
        for (left, top, width, height), score in zip(
            found.boxes.tolist(), found.scores.tolist(), strict=True
        )
    ]
