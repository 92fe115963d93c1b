"""Measure detectors on a real video, and how fast detections are read that others made.

python -m tests.benchmarks.detection             about five minutes, writes tests/benchmarks/results
python -m tests.benchmarks.detection --no-write  print only

Needs the shared folder's video and model.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from pipeline.decode.base import RawRecords
from pipeline.decode.detections import DetectionFrames
from pipeline.detect.base import Detections, Detector, Picture
from pipeline.detect.hog import HogDetector
from pipeline.detect.onnx import OnnxDetector
from pipeline.detect.still import StillDetector
from pipeline.sources.mot_file import read_mot
from pipeline.tracking.frames import Layout
from tests.benchmarks.machine import describe
from tests.benchmarks.report import Part, Table, percent, rate, write
from tests.benchmarks.timing import seconds
from tests.pipeline.detect.models import freed
from tests.pipeline.detect.pets import pictures, recall_precision, truth, yolox

TUNED = range(1, 401, 20)  # the logistic of the HOG detector's scores was fitted here
HELD_OUT = range(401, 501, 5)
EVERY = range(401, 501)
SCORES = (0.3, 0.5)
BATCHES = (1, 2, 4, 8)
SHARES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02)
FRAME_S = 0.1  # of the video
BOXES = 30
RECORDS = 500


def detectors() -> Table:
    """What each finds, and its time for a picture of 768 x 576."""
    table = Table(
        "Detectors, one core, pictures of 768x576",
        (
            "detector",
            "ms a picture",
            "pictures/s",
            "frames",
            *(f"{word} at {score}" for score in SCORES for word in ("recall", "precision")),
        ),
        notes=["Processor time, scaling included. IoU 0.5 with every annotated person."],
    )
    made: dict[str, Detector] = {
        "OpenCV HOG": HogDetector(min_score=0.1),
        "YOLOX nano, 416": OnnxDetector(yolox()),
    }
    for name, detector in made.items():
        for numbers in (TUNED, HELD_OUT):
            shown = pictures(numbers)
            taken = seconds(partial(detector.detect, shown[:1], ["a"]), looks=5)
            found = [detector.detect([picture], ["a"])[0] for picture in shown]
            figures = [
                f"{figure:.3f}"
                for score in SCORES
                for figure in recall_precision(found, truth(numbers), score)
            ]
            span = f"{numbers[0]}-{numbers[-1]}"
            table.rows.append((name, f"{taken * 1e3:.1f}", rate(1 / taken), span, *figures))
    return table


def batches(folder: Path) -> Table:
    """Pictures one by one, and in one run."""
    table = Table(
        "YOLOX nano, pictures of several cameras, one core: ms a picture",
        ("the graph's batch", *(f"{count} cameras" for count in BATCHES)),
        notes=["The boxes are the same to a hundredth of a pixel."],
    )
    shown = pictures(range(1, 8 * 40, 40))
    models = {"1: one by one": yolox(), "free: one run": freed(folder / "free.onnx", whole=True)}
    for name, path in models.items():
        detector = OnnxDetector(path)
        row = [name]
        for count in BATCHES:
            cameras = [f"c{at}" for at in range(count)]
            taken = seconds(partial(detector.detect, shown[:count], cameras), looks=5)
            row.append(f"{taken * 1e3 / count:.1f}")
        table.rows.append(row)
    return table


def stillness() -> Table:
    """Pictures that are not looked at, and the people that are missed for it."""
    table = Table(
        "Still pictures, YOLOX nano, every frame of 401-500",
        ("`still`", "not looked at", "recall at 0.5", "precision at 0.5"),
        notes=[f"`still_s` = 2; the video's clock, {FRAME_S} s a frame."],
    )
    shown, people = pictures(EVERY), truth(EVERY)
    detector = OnnxDetector(yolox())
    looked = [detector.detect([picture], ["a"])[0] for picture in shown]
    for share in SHARES:
        found, skipped = _skipping(shown, looked, share)
        recall, precision = recall_precision(found, people, 0.5)
        cells = (percent(skipped / len(shown)), f"{recall:.3f}", f"{precision:.3f}")
        table.rows.append((f"{share:g}", *cells))
    return table


class _Replayed:
    """Finds what was found before, so that a model runs once for all shares."""

    name, device, appearance = "replayed", "cpu", 0

    def __init__(self, looked: Sequence[Detections]) -> None:
        self.looked, self.frame = looked, 0

    def detect(self, pictures: Sequence[Picture], cameras: Sequence[str]) -> list[Detections]:
        """What was found in the frame whose turn it is."""
        return [self.looked[self.frame]]

    def close(self) -> None:
        """Nothing to release."""


def _skipping(
    shown: Sequence[Picture], looked: Sequence[Detections], share: float
) -> tuple[list[Detections], int]:
    """What is found with this share, and how many pictures were not looked at."""
    replayed, skipped = _Replayed(looked), list[int]()
    if not share:
        return list(looked), 0
    still = StillDetector(
        replayed,
        share=share,
        longest_s=2.0,
        skipped=skipped.append,
        clock=lambda: replayed.frame * FRAME_S,
    )
    found = []
    for replayed.frame, picture in enumerate(shown):
        found += still.detect([picture], ["a"])
    return found, sum(skipped)


def given(folder: Path) -> Table:
    """Detections that others made."""
    table = Table(
        f"Detections given, {BOXES} boxes a frame, one core",
        ("from", "frames/s"),
        notes=["Rows of 256 detections. Records with a time and a number, 500 in one poll."],
    )
    random = np.random.default_rng(0)
    boxes = random.uniform(1, 500, (RECORDS, BOXES, 5)).round(2)
    for form in ("rows", "objects"):
        decoder = DetectionFrames(Layout(256), dropped=Counter[str]().__setitem__)
        taken = seconds(partial(decoder.decode, _records(boxes.tolist(), form)), looks=5)
        table.rows.append((f"Kafka records, {form}", rate(RECORDS / taken)))
    path = folder / "mot.txt"
    path.write_text(
        "".join(
            f"{frame + 1},-1,{','.join(str(number) for number in box)},-1,-1,-1\n"
            for frame, some in enumerate(boxes.tolist())
            for box in some
        )
    )
    taken = seconds(partial(read_mot, path, longest=RECORDS), looks=5)
    table.rows.append(("reading a MOT file", rate(RECORDS / taken)))
    return table


def _records(boxes: list[list[list[float]]], form: str) -> RawRecords:
    names = ("left", "top", "width", "height", "score")
    values = []
    for frame, some in enumerate(boxes):
        detections: list[Any] = some
        if form == "objects":
            detections = [dict(zip(names, box, strict=True)) for box in some]
        record = {"time": 1.7e9 + frame / 30, "frame": frame, "width": 1920, "height": 1080}
        values.append(json.dumps({**record, "detections": detections}).encode())
    count = len(values)
    keys = [b"camera-%d" % (at % 16) for at in range(count)]
    return RawRecords("detections", 0, range(count), [1_700_000_000_000_000] * count, keys, values)


def measure(folder: Path, say: Callable[[str], None]) -> Part:
    """All tables, one after the other."""
    tables = []
    parts: dict[str, Callable[[], Table]] = {
        "detectors": detectors,
        "batches": partial(batches, folder),
        "stillness": stillness,
        "given detections": partial(given, folder),
    }
    for name, part in parts.items():
        say(name)
        tables.append(part())
    data = {table.title: [list(table.columns), *map(list, table.rows)] for table in tables}
    return Part("detection", tables, data)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console.width = 140  # a log wraps no tables
    described = describe()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, console.status("…") as status:
        part = measure(Path(folder), status.update)
    for table in part.tables:
        table.show(console)
    if not options.no_write:
        name = f"{datetime.now(UTC):%Y-%m-%d}-{described['commit']}".rstrip("+")
        console.print(f"\nwritten: {write(described, [part], f'{name}-detection')}")


if __name__ == "__main__":
    main()
