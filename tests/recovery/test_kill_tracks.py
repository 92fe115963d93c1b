"""SIGKILL while people are tracked: identities, boxes and events are those of one calm run."""

from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from pipeline.bundle import read_bundle
from pipeline.engines.onnx import OnnxEngine
from pipeline.tracking.alone import TrackerAlone
from pipeline.tracking.frames import Frame
from tests.brokers import Broker
from tests.pipeline.tracking.bundles import motion_bundle
from tests.pipeline.tracking.walks import INTERVAL_US, crowd
from tests.recovery.rig import PATIENCE_S, Feeder, Outputs, Pipeline, Record, make_topics

CAMERAS = 6
FRAMES = 250
RATE = 400.0  # frames/s of all cameras: kills fall into the stream, not behind it
KILLS = 2
TOLERANCE = 0.05  # pixels
SEED = 8

Told = dict[tuple[Any, ...], dict[str, Any]]


def film() -> list[list[Frame]]:
    """Each camera's frames; people leave its picture and are missed now and then."""
    return [crowd(SEED + camera, FRAMES, people=6) for camera in range(CAMERAS)]


def records(films: list[list[Frame]]) -> tuple[list[Record], int]:
    """The frames as records, camera by camera in turn, a broken one now and then; how many are."""
    found: list[Record] = []
    broken = 0
    for number in range(FRAMES):
        for camera, frames in enumerate(films):
            boxes = frames[number].found
            frame = {
                "width": frames[number].size[0],
                "height": frames[number].size[1],
                "frame": number,
                "time": number * INTERVAL_US / 1e6 + 1.7e9,
                "detections": np.column_stack([boxes.boxes, boxes.scores]).tolist(),
            }
            found.append((camera, orjson.dumps(frame)))
            if len(found) % 200 == 199:
                found.append((camera, b'{"width": 1280'))
                broken += 1
    return found, broken


def wanted(films: list[list[Frame]], bundle: Path) -> Told:
    """What each camera's tracker says by itself."""
    opened = read_bundle(bundle)
    engine = OnnxEngine(opened)
    found: Told = {}
    for camera, frames in enumerate(films):
        alone = TrackerAlone(engine, opened.manifest)
        for frame in frames:
            for some in alone.step(frame, frame.number * INTERVAL_US + 1_700_000_000_000_000):
                for at in range(len(some)):
                    row = {name: column[at] for name, column in some.columns.items()}
                    found[f"s{camera}", some.kind, row["frame"], row["track"]] = row
    return found


def told(outputs: Outputs) -> Told:
    """The outputs by camera, type, frame and track."""
    return {
        (record["stream"], record["type"], record["frame"], record["track"]): record
        for record, _ in outputs.records
    }


@pytest.mark.parametrize(
    "guarantee", ["exactly_once", pytest.param("at_least_once", marks=pytest.mark.slow)]
)
def test_kills_change_nobodys_track(noida: Broker, tmp_path: Path, guarantee: str) -> None:
    """All of a frame's outputs are there, once, as a tracker alone would give them."""
    rng = np.random.default_rng(3)
    bundle = motion_bundle(tmp_path, "constant_velocity")
    films = film()
    expected = wanted(films, bundle)
    assert {kind for _, kind, *_ in expected} == {"track", "enter", "leave"}
    rows, broken = records(films)
    name = uuid.uuid4().hex[:8]
    topics = {part: f"{part}-{name}" for part in ("rows", "rough")}
    dead = f"{topics['rough']}.dead"
    make_topics(noida.address, *topics.values(), dead)
    feeder = Feeder(noida.address, topics["rows"], rows, RATE)
    feeder.start()
    rough = Pipeline(
        tmp_path,
        brokers=noida.address,
        bundle=bundle,
        rows=topics["rows"],
        out=topics["rough"],
        guarantee=guarantee,
        payload="detections",
    )
    seen = Outputs(noida.address, topics["rough"])
    for _ in range(KILLS):
        process = rough.start()
        more = int(rng.integers(1, len(expected) // (KILLS + 1)))
        seen.wait(min(seen.read() + more, len(expected) - 1), process)
        process.kill()
        process.wait(PATIENCE_S)
    process = rough.start()
    feeder.join(PATIENCE_S)
    seen.wait(len(expected), process)
    rough.stop(process)
    seen.read(1.0)
    found = told(seen)
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        for side in ("left", "top", "width", "height"):
            assert found[key][side] == pytest.approx(float(row[side]), abs=TOLERANCE), key
    if guarantee == "exactly_once":
        names = Counter((record["id"], record["type"]) for record, _ in seen.records)
        assert not [name for name, count in names.items() if count > 1]
    letters = Outputs(noida.address, dead)
    letters.wait(broken)
    letters.read(0.5)
    assert len({(h["partition"], h["offset"]) for _, h in letters.records}) == broken
    for reader in (seen, letters):
        reader.close()
