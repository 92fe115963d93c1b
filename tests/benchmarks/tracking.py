"""The whole way on a real video: decode, detect, track, send; then four cameras of it, live.

python -m tests.benchmarks.tracking            all of it, about 6 minutes on two free cores
python -m tests.benchmarks.tracking --no-hog   without OpenCV's slow detector
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from export.tracking import export_tracking
from pipeline.assemble import Parts, assemble
from pipeline.block import Records, Reject
from pipeline.config import PipelineConfig
from pipeline.detect.base import Detections
from pipeline.logs import configure_logs
from pipeline.tracking.outputs import TRACK
from pipeline.video.shot import Shot
from tests.benchmarks import tracking_association, tracking_tuned
from tests.benchmarks.machine import describe
from tests.benchmarks.report import Part, Table, percent, write
from tests.shared import shared_path
from trainer.tracking.config import TrackingConfig
from trainer.tracking.data import read_recordings
from trainer.tracking.mot import read_mot
from trainer.tracking.score import Truth
from trainer.tracking.train import fit

VIDEO_RATE = 10.0  # frames/s of the video
SIZE = (768, 576)
LEARNT = 400  # frames that the motion model is trained on
SPANS = ((1, 400), (401, 500))
LIVE_S = 25.0
CAMERAS = 4
STAGES = ("decode", "detect", "associate", "step", "head", "send")


@dataclass
class Heard:
    """A sink that keeps tracks as MOT rows, and how long each frame took to come here."""

    rows: list[tuple[float, ...]] = field(default_factory=list)
    late_ms: dict[int, float] = field(default_factory=dict)  # by offset: once a frame
    found: list[Detections] = field(default_factory=list)

    def saw(self, shots: Sequence[Shot], found: Sequence[Detections]) -> None:
        """The pipeline's witness."""
        self.found += found

    def open(self) -> None:
        """Nothing."""

    def send(self, records: Records) -> None:
        """Keep it."""
        now = time.time_ns() // 1000
        for offset, stamped in zip(records.offset.tolist(), records.stamped.tolist(), strict=True):
            self.late_ms.setdefault(offset, (now - stamped) / 1000)
        if records.kind == TRACK:
            names = ("frame", "track", "left", "top", "width", "height")
            columns = [records.columns[name].astype(float).tolist() for name in names]
            self.rows += [(frame + 1, *rest) for frame, *rest in zip(*columns, strict=True)]

    def reject(self, rejects: Sequence[Reject]) -> None:
        """A frame that could not be stepped is none that was measured."""
        raise AssertionError(rejects[0].reason)

    def flush(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Ran:
    """One run: ``wall_s`` and ``cpu_s`` of it, its counters, what was heard."""

    wall_s: float
    cpu_s: float
    samples: dict[str, dict[str, float]]  # metric → label → value
    heard: Heard

    @property
    def frames(self) -> float:
        """Frames that were looked at."""
        return self.samples["stage_count"]["detect"]


def train(folder: Path, console: Console) -> Path:
    """A motion model of the video's first frames."""
    truth = shared_path("data", "tracking", "pets_s2l1", "gt_frames_001-500.txt")
    recordings = read_recordings(truth, until=LEARNT / 500, frame_rate=VIDEO_RATE)
    config = TrackingConfig(epochs=20, windows=2048, rows=32, longest_gap=15)
    console.print(f"training on frames 1-{LEARNT}")
    trained = fit(recordings, config, workdir=folder / "training")
    export_tracking(trained, folder / "motion.onnx", name="pets")
    return folder / "motion.onnx"


def run(
    model: Path,
    detector: dict[str, Any],
    folder: Path,
    cameras: int,
    *,
    live_s: float | None = None,
) -> Ran:
    """The pipeline over the video, by ``cameras`` at once; in real time for ``live_s``."""
    video = shared_path("data", "tracking", "pets_s2l1", "vtest.avi")
    config = PipelineConfig.model_validate(
        {
            "name": "bench",
            "model": str(model),
            "source": {
                "type": "cameras",
                "pace": "all" if live_s is None else "newest",
                "camera": [{"name": f"c{at}", "url": str(video)} for at in range(cameras)],
            },
            "detector": detector,
            "sink": {"type": "console", "emit": "all"},
            "state": {"path": str(folder / f"{time.time_ns()}.sqlite")},
        }
    )
    heard, stop = Heard(), threading.Event()
    parts = assemble(config, folder, stop, sink=heard, witness=heard.saw)
    if live_s is not None:
        threading.Timer(live_s, stop.set).start()
    began, used = time.perf_counter(), time.process_time()
    parts.loop.run(stop)
    return Ran(time.perf_counter() - began, time.process_time() - used, _samples(parts), heard)


def _samples(parts: Parts) -> dict[str, dict[str, float]]:
    """What the pipeline counted and timed."""
    wanted = {
        "streamcell_loop_stage_duration_seconds_sum": ("stage_s", "stage"),
        "streamcell_loop_stage_duration_seconds_count": ("stage_count", "stage"),
        "streamcell_input_dropped_rows_total": ("dropped", "cause"),
        "streamcell_input_rows_total": ("rows", "pipeline"),
    }
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for metric in parts.metrics.registry.collect():
        for sample in metric.samples:
            if sample.name in wanted:
                name, label = wanted[sample.name]
                found[name][sample.labels[label]] = sample.value
    return found


def measure(folder: Path, console: Console, *, hog: bool) -> Part:
    """All tables."""
    model = train(folder, console)
    nano = shared_path("data", "tracking", "models", "yolox_nano.onnx")
    detectors = {"YOLOX nano": {"kind": "onnx", "model": str(nano), "threads": 2}}
    if hog:
        detectors["HOG"] = {"kind": "hog", "threads": 2}
    speed = Table(
        f"vtest.avi, every frame, two cores (the video has {VIDEO_RATE:g} frames/s)",
        ("detector", "frames/s", "CPU ms", *(f"{name} ms" for name in STAGES)),
        notes=[
            "Milliseconds a frame. Stages are the pipeline's own metrics, by the clock; decoding "
            "the video is in a thread of its own, and `decode` is what the loop still does to it "
            "(colours). CPU is the whole process's."
        ],
    )
    scores = Table(
        "Tracks of vtest.avi against the ground truth",
        ("detector, frames", "MOTA", "IDF1", "HOTA", "switches", "FP", "FN", "people's boxes"),
        notes=[
            f"The motion model (LSTM) learnt from frames 1-{LEARNT} of the ground truth; the "
            "tracker's settings are the defaults, or tuned: chosen on the same frames, on what "
            "the detector found. Everybody is annotated, hidden people too."
        ],
    )
    data: dict[str, Any] = {}
    annotation = shared_path("data", "tracking", "pets_s2l1", "gt_frames_001-500.txt")
    truth = read_mot(annotation)
    found: list[Detections] = []
    for name, detector in detectors.items():
        console.print(f"{name}: every frame")
        ran = run(model, detector, folder, 1)
        found = found or ran.heard.found
        stages = [1000 * ran.samples["stage_s"].get(stage, 0.0) / ran.frames for stage in STAGES]
        speed.rows.append(
            (
                name,
                f"{ran.frames / ran.wall_s:.1f}",
                f"{1000 * ran.cpu_s / ran.frames:.1f}",
                *(f"{value:.2f}" for value in stages),
            )
        )
        data[name] = {
            "frames_per_s": ran.frames / ran.wall_s,
            "stage_ms": dict(zip(STAGES, stages, strict=True)),
        }
        rows = np.array(ran.heard.rows, np.float64).reshape(-1, 6)
        for first, last in SPANS:
            told = Truth(truth, first, last).score(rows).scores()
            data[name][f"{first}-{last}"] = told
            scores.rows.append(_scored(f"{name}, {first}-{last}", told))
        told, chosen = tracking_tuned.tuned(
            model, ran.heard.found, annotation, SIZE, VIDEO_RATE, SPANS
        )
        data[name]["tuned"] = told | {"params": chosen}
        scores.rows.append(_scored(f"{name}, {SPANS[1][0]}-{SPANS[1][1]}, tuned", told))
        said = ", ".join(f"{key} {value}" for key, value in chosen.items())
        scores.notes.append(f"Tuned for {name}: {said or 'nothing better was found'}.")
    live = _live(model, detectors, folder, console, data)
    alone, data["association"] = tracking_association.measure(model, found, SIZE)
    return Part("tracking", [speed, scores, live, alone], data)


def _scored(name: str, told: dict[str, float]) -> tuple[str, ...]:
    return (
        name,
        *(f"{told[key]:.1f}" for key in ("MOTA", "IDF1", "HOTA")),
        *(f"{told[key]:,.0f}" for key in ("IDs", "FP", "FN", "GT")),
    )


def _live(
    model: Path,
    detectors: dict[str, dict[str, Any]],
    folder: Path,
    console: Console,
    data: dict[str, Any],
) -> Table:
    table = Table(
        f"{CAMERAS} cameras at once, live: {VIDEO_RATE:g} frames/s each, two cores",
        ("detector", "came", "used", "dropped", "causes", "p50 ms", "p99 ms"),
        notes=[
            f"{LIVE_S:g} s. Latency is from a frame's capture to its tracks at the sink. The "
            "newest frame of each camera is used, older ones that still wait are dropped."
        ],
    )
    for name, detector in detectors.items():
        console.print(f"{name}: {CAMERAS} cameras, live")
        ran = run(model, detector, folder, CAMERAS, live_s=LIVE_S)
        used, dropped = sum(ran.samples["rows"].values()), ran.samples["dropped"]
        lost = sum(dropped.values())
        late = list(ran.heard.late_ms.values())
        p50, p99 = np.percentile(late, [50, 99]).tolist() if late else (np.nan, np.nan)
        causes = ", ".join(f"{cause} {count:.0f}" for cause, count in sorted(dropped.items()))
        table.rows.append(
            (
                name,
                f"{used + lost:,.0f}",
                f"{used:,.0f}",
                percent(lost / max(1.0, used + lost)),
                causes or "–",
                f"{p50:.0f}",
                f"{p99:.0f}",
            )
        )
        data[name]["live"] = {"used": used, "dropped": dict(dropped), "p50_ms": p50, "p99_ms": p99}
    return table


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--no-hog", action="store_true", help="without OpenCV's slow detector")
    parser.add_argument("--no-write", action="store_true", help="leave results/ as it is")
    options = parser.parse_args()
    console = Console()
    configure_logs("warning", "auto")
    machine = describe()
    with tempfile.TemporaryDirectory() as folder:
        part = measure(Path(folder), console, hog=not options.no_hog)
    for table in part.tables:
        table.show(console)
    if not options.no_write:
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        path = write(machine, [part], f"{day}-{machine['commit'].rstrip('+')}-tracking")
        console.print(f"\nwritten: {path}")


if __name__ == "__main__":
    _main()
