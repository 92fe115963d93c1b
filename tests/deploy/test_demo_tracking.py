"""``streamcell demo tracking``: the whole flow over a lost camera and a crash, and its judging."""

from __future__ import annotations

import io
import shutil
import urllib.request
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from rich.console import Console

from deploy.demo.run import Files
from deploy.demo.show import Show
from deploy.demo.tracking import flow, session, training
from deploy.demo.tracking.camera import BOUNDARY, Camera
from deploy.demo.tracking.film import FRAMES_PER_S, Present, Shown, film
from deploy.demo.tracking.flow import Options, run_tracking_demo
from deploy.demo.tracking.listener import Crossing, Seat
from deploy.demo.tracking.metrics import parse
from deploy.demo.tracking.places import HEIGHT, PLACES, WIDTH
from deploy.demo.tracking.reels import record
from deploy.demo.tracking.teach import DETECTOR
from deploy.demo.tracking.verdict import Witnessed, judge
from pipeline.block import Float32
from pipeline.bundle import read_bundle
from pipeline.detect.onnx import OnnxDetector
from pipeline.manifest import Manifest
from pipeline.tracking.assign import assign
from pipeline.tracking.geometry import centred, overlaps
from tests.pipeline.tracking.bundles import motion_bundle


def test_the_demo_counts_people_over_a_lost_camera_and_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two cameras and a Kalman filter: every output once, in order, and the camera is back."""

    def untrained(places: Files, *_: Any, **__: Any) -> Manifest:
        shutil.move(motion_bundle(places.folder, "kalman"), places.model)
        return read_bundle(places.model).manifest

    monkeypatch.setattr(flow, "train", untrained)
    monkeypatch.setattr(session, "AFTER_CRASH_S", 2.0)
    out = io.StringIO()
    options = Options(tmp_path / "out", None, 2, None, 0, False, True, "demo", seconds=9.0)
    good = run_tracking_demo(options, Console(file=out, width=120))
    assert good, out.getvalue()
    found = orjson.loads((tmp_path / "out" / "demo.json").read_bytes())["details"]
    assert (found["lost"], found["doubled"], found["back"], found["dead_letters"]) == (0, 0, 0, 0)
    assert found["frames_used"] > 20
    assert found["camera_off_s"][0] > 0.5
    assert found["crash_s"] > 0
    everything = found["cameras"][-1]
    assert everything["people"] > 5
    assert everything["MOTA"] > 30
    assert "killing the pipeline" in out.getvalue()
    assert "camera corridor is off" in out.getvalue()
    assert (tmp_path / "out" / "demo.html").stat().st_size > 1000


def test_the_training_makes_a_bundle_of_tracks(tmp_path: Path) -> None:
    """One epoch on a few seconds: enough to see that it fits together; the tracks stay there."""
    show, places = Show(Console(file=io.StringIO()), 6), Files(tmp_path, "people")
    manifest = training.train(places, show, epochs=1, seed=0, command="demo", seconds=4.0)
    assert manifest.task == "tracking"
    assert manifest.head["born"] == training.PARAMS.born
    assert places.training_report.stat().st_size > 1000
    for place in PLACES:
        names = sorted(path.name for path in (tmp_path / "tracks" / place.name).iterdir())
        assert names == ["det.txt", "gt.txt", "seqinfo.ini"]


@pytest.fixture(scope="module")
def shown() -> list[list[Shown]]:
    """Pictures of each place that no training has seen."""
    return [list(film(place, 8.0, 900 + at, every=8)) for at, place in enumerate(PLACES)]


def boxes(present: list[Present]) -> Float32:
    """As centres and sizes."""
    return centred(np.array([one.box for one in present], np.float32).reshape(-1, 4))


def test_the_shipped_detector_finds_the_people(shown: list[list[Shown]]) -> None:
    """Nine of ten that are not hidden, and hardly anything else; it is small."""
    assert DETECTOR.stat().st_size < 300_000
    detector = OnnxDetector(DETECTOR, layout="yolov8", min_score=0.3)
    clear = hits = extra = 0
    for pictures in shown:
        found = detector.detect([one.picture for one in pictures], ["c"] * len(pictures))
        for one, told in zip(pictures, found, strict=True):
            seen = np.array([person.visible > 0.35 for person in one.present], np.bool_)
            people, which = assign(
                1 - overlaps(boxes(list(one.present)), centred(told.boxes)), limit=0.5
            )
            clear += int(seen.sum())
            hits += int(seen[people].sum())
            extra += len(told) - len(which)
    assert clear > 150
    assert hits > 0.9 * clear
    assert extra < 0.1 * clear


def test_films_are_repeatable_and_true(shown: list[list[Shown]]) -> None:
    """The same seed gives the same; boxes lie in the picture, on what is drawn there."""
    again = list(film(PLACES[0], 8.0, 900, every=8))
    assert all((a.picture == b.picture).all() for a, b in zip(again, shown[0], strict=True))
    assert [one.present for one in again] == [one.present for one in shown[0]]
    for pictures in shown:
        for one in pictures:
            for person in one.present:
                left, top, width, height = person.box
                assert left >= 0
                assert top >= 0
                assert left + width <= WIDTH + 1e-6
                assert top + height <= HEIGHT + 1e-6
                assert 0 < person.visible <= 1.05
    hidden = [person.visible for some in shown for one in some for person in one.present]
    assert min(hidden) < 0.5 < max(hidden)
    nobody = list(film(PLACES[0], 2.0, 900, each_s=1e9))
    changed = np.abs(again[1].picture.astype(int) - nobody[8].picture.astype(int)).max(axis=2) > 60
    for person in again[1].present:
        x, y, width, height = (round(number) for number in person.box)
        if person.visible > 0.9:
            assert changed[y : y + height, x : x + width].mean() > 0.2


def watched(camera: Camera) -> HTTPResponse:
    """Its answer to who watches."""
    answer: HTTPResponse = urllib.request.urlopen(camera.url, timeout=5)  # noqa: S310 - loopback
    return answer


def test_a_camera_plays_its_film_and_can_be_cut(tmp_path: Path) -> None:
    """By the clock, to several at once; off means that whoever watches is cut off."""
    reel = record(PLACES[0], film(PLACES[0], 2.0, 1), tmp_path / "plaza.avi")
    assert len(reel.pictures) == len(reel.present) == 2 * FRAMES_PER_S
    assert all(picture.startswith(b"\xff\xd8\xff") for picture in reel.pictures)
    camera = Camera(reel, began=0.0)
    with pytest.raises(OSError, match="refused"):
        watched(camera)
    for _ in range(2):
        camera.on()
        with (
            watched(camera) as one,
            watched(camera) as other,
        ):
            assert BOUNDARY in one.headers["Content-Type"]
            for stream in (one, other):
                assert stream.readline() == f"--{BOUNDARY}\r\n".encode()
            camera.off()
            camera.off()
            assert len(one.read()) < 20 * len(reel.pictures[0])


def walker(frames: int) -> list[list[Present]]:
    """One person who walks from left to right through the middle, past another who stands."""
    path = np.linspace(0.2, 0.8, frames) * WIDTH
    return [
        [
            Present(1, (x - 10, 100.0, 20.0, 60.0), (x, 160.0), 1.0),
            Present(2, (20.0, 100.0, 20.0, 60.0), (30.0, 160.0), 1.0),
        ]
        for x in path.tolist()
    ]


def witnessed(seats: list[Seat], sent_us: np.typing.NDArray[np.int64]) -> Witnessed:
    """What came of the walker's film."""
    times = sorted({seat.time_us for seat in seats})
    line = ((0.5, 0.0), (0.5, 1.0))
    return Witnessed("c", line, walker(len(sent_us)), sent_us, seats, times, [5.0], 2)


def test_a_perfect_tracker_is_judged_as_such() -> None:
    """Capture is a little after sending; who crosses a line downwards to the right goes out."""
    sent = 1_000_000 * 1000 + 100_000 * np.arange(30)
    seats = [
        Seat(int(time_us) + 4000, person.person, person.box)
        for time_us, present in zip(sent, walker(30), strict=True)
        for person in present
    ]
    crossing = Crossing("c", int(sent[15]), 1, "out")
    one, everything = judge([witnessed(seats, sent)], [crossing])
    assert one.counted == everything.counted
    counted = one.counted
    assert (counted.frames, counted.used, counted.people, counted.entered) == (30, 30, 2, 2)
    crossings = counted.true_crossings, counted.told_crossings, counted.right_crossings
    assert crossings == (1, 1, 1)
    assert (one.scores["MOTA"], one.scores["IDF1"]) == (100.0, 100.0)
    assert one.latency_p50_ms == 5.0


def test_frames_without_outputs_and_wrong_crossings_are_told() -> None:
    """While nothing came for seconds the camera counts as off; the wrong way is wrong."""
    sent = 1_000_000 * 1000 + 100_000 * np.arange(60)
    seats = [
        Seat(int(time_us) + 4000, person.person, person.box)
        for at, (time_us, present) in enumerate(zip(sent, walker(60), strict=True))
        for person in present
        if at % 2 == 0 and at < 20
    ]
    one, _ = judge([witnessed(seats, sent)], [Crossing("c", int(sent[15]), 1, "in")])
    assert one.counted.used == 10
    assert one.counted.frames < 35
    assert one.counted.right_crossings == 0
    assert one.scores["MOTA"] == 100.0
    nothing, _ = judge([witnessed([], sent)], [])
    assert (nothing.counted.frames, nothing.counted.people) == (0, 0)


def test_counters_are_read_from_the_metrics() -> None:
    """The page as Prometheus would read it."""
    told = parse(
        "# HELP streamcell_input_rows_total Rows read from the source.\n"
        'streamcell_input_rows_total{pipeline="p"} 12.0\n'
        'streamcell_input_dropped_rows_total{pipeline="p",cause="camera_overload"} 3.0\n'
        'streamcell_output_rows_total{pipeline="p",kind="track"} 40.0\n'
    )
    assert (told.frames, told.dropped, told.outputs) == (12, {"camera_overload": 3}, {"track": 40})
