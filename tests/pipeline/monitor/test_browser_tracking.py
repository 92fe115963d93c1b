"""The live page of cameras in a real browser: pictures with boxes, trails, lines, who passed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from pipeline.metrics import Metrics
from pipeline.monitor import page
from pipeline.monitor import sights as sights_module
from pipeline.monitor.health import Vitals
from pipeline.video.jpeg import JpegPrinter
from tests.pipeline.monitor.browser import Browser, browser
from tests.pipeline.monitor.conftest import TOKEN, Site
from tests.pipeline.monitor.serving import monitor_of
from tests.pipeline.monitor.street import BODY, FRAME_S, SIZE, Street, view_of
from tests.pipeline.monitor.test_browser import ESCAPE, text

ENTER, RIGHT = "\ue007", "\ue014"
FILMED = 130  # frames before a test begins
HOSTILE = ("<img src=x onerror=alert(1)>", "a/../b?c=1&t=2#d", "%2e%2e")
TILE = "[...document.querySelectorAll('.camera')].find(one => one.dataset.camera === %s)"
# When the picture on a canvas was taken, and the colours along a line at each of some heights.
ACROSS = """
  const canvas = TILE.querySelector('canvas'), pen = canvas.getContext('2d');
  const k = canvas.width / %d;
  const rows = %s.map((y) => [...pen.getImageData(0, Math.round(k * y), canvas.width, 1).data]);
  return [Number(canvas.dataset.time), canvas.dataset.tracks, k, rows];
"""


class Filming:
    """A street that goes on by itself; ``boxes`` are those of its tracks by camera and time."""

    def __init__(self, site: Site, street: Street) -> None:
        self.site, self.street = site, street
        self.boxes: dict[tuple[str, int], dict[int, tuple[float, float]]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        assert self.site.view.sights is not None
        while not self._stop.wait(FRAME_S):
            now = time.time()
            for camera, name in enumerate(self.street.names):
                picture = self.street.picture(camera)
                self.site.view.sights.picture(name, round(now * 1e6), picture)
            batch, records = self.street.step(now)
            self.site.view.observe(batch, records)
            for some in records:
                if some.kind == "track":
                    columns = (some.columns[name].tolist() for name in ("track", "left", "top"))
                    for key, *(track, left, top) in zip(some.key.tolist(), *columns, strict=True):
                        place = key.decode(), int(batch.time[0])
                        self.boxes.setdefault(place, {})[track] = left, top

    def stop(self) -> None:
        """Film no more; twice is fine."""
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of this file."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.view(1280, 900)
        yield opened


@contextmanager
def filming_of(street: Street, pictures: bool) -> Iterator[Filming]:
    """A monitor of a street that was filmed for a while, and goes on."""
    view = view_of(JpegPrinter() if pictures else None, cameras=len(street.names))
    for frame in range(FILMED):
        view.observe(*street.step(time.time() - (FILMED - frame) * FRAME_S))
    metrics, vitals = Metrics("street"), Vitals(stale_after_s=3600)
    monitor = monitor_of(port=0, token=TOKEN, registry=metrics.registry, health=vitals, view=view)
    monitor.start()
    filming = Filming(Site(monitor, view, vitals, metrics), street)
    try:
        yield filming
    finally:
        filming.stop()
        monitor.stop()


@pytest.fixture
def film(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Filming]]:
    """Films streets, and ends that after the test."""
    monkeypatch.setattr(page, "EVERY_S", 0.2)
    with ExitStack() as open_streets:

        def begin(street: Street | None = None, pictures: bool = True) -> Filming:
            return open_streets.enter_context(filming_of(street or Street(), pictures))

        yield begin


def tile(name: str, rest: str = "") -> str:
    """JavaScript for a camera's part of the page."""
    return TILE % json.dumps(name) + rest


def visit(chromium: Browser, filming: Filming, rest: str = "", pictured: bool = True) -> None:
    """Open the page with the token and wait for every camera to show something."""
    chromium.open("about:blank")
    chromium.complaints()
    chromium.open(f"http://127.0.0.1:{filming.site.monitor.port}/?token={TOKEN}{rest}")
    shown = f".picture[data-pictured={str(pictured).lower()}]"
    chromium.until(
        f"return document.querySelectorAll({shown!r}).length === {len(filming.street.names)}"
    )


def complaints(chromium: Browser) -> list[str]:
    """What the console says, but for what reading the canvas in this test brings about."""
    return [one for one in chromium.complaints() if "willReadFrequently" not in one]


def vivid(pixel: list[int]) -> bool:
    """Whether it is of a colour, not of the wall."""
    return max(pixel[:3]) - min(pixel[:3]) > 60


def looked_at(chromium: Browser, filming: Filming, camera: int) -> set[int]:
    """The tracks of a camera whose box was found around a person in what the canvas shows now."""
    name = filming.street.names[camera]
    heights = [walker.foot - 0.5 * BODY[1] for walker in filming.street.walkers[camera]]
    script = ACROSS.replace("TILE", tile(name)) % (SIZE[0], json.dumps(heights))
    at, drawn, k, rows = chromium.run(script)
    boxes, found = filming.boxes.get((name, at), {}), set()
    assert set(map(int, drawn.split())) == boxes.keys()
    for track, (left, top) in boxes.items():
        row = rows[heights.index(min(heights, key=lambda y: abs(y - top - 0.5 * BODY[1])))]
        pixels = [row[i : i + 4] for i in range(0, len(row), 4)]
        lefts = [x for one, (x, _) in boxes.items() if one != track]
        alone = all(abs(x - left) > 2 * BODY[0] for x in lefts)
        clear = 12 < left < SIZE[0] / 2 - 120 or SIZE[0] / 2 + 20 < left < SIZE[0] - 50
        if not (alone and clear):
            continue  # others, the line with its words, or the picture's edge are in the way
        outside, edge, inside = (pixels[round(k * (left + off))] for off in (-5, 0, 5))
        assert not vivid(outside)
        assert vivid(edge)
        assert vivid(inside)
        assert edge != inside
        found.add(track)
    return found


def test_boxes_lie_where_people_are(chromium: Browser, film: Callable[..., Filming]) -> None:
    """In the moving pictures of both cameras at once; then each says that nothing comes."""
    filming = film()
    visit(chromium, filming)
    for camera in range(len(filming.street.names)):
        times, deadline = 0, time.monotonic() + 20
        while times < 4:
            assert time.monotonic() < deadline
            times += bool(looked_at(chromium, filming, camera))
    sights = filming.site.view.sights
    assert sights is not None
    sights._clock = lambda: time.time() - 60  # the next frames came a minute ago
    chromium.until("return document.querySelectorAll('.camera.away').length === 2")
    assert "no frame for" in text(chromium, "#cameras")
    assert complaints(chromium) == []


def test_who_passes_is_told(chromium: Browser, film: Callable[..., Filming]) -> None:
    """Comings, goings and crossings with line and direction; counted by camera and in all."""
    filming = film()
    visit(chromium, filming)
    rows = "[...document.querySelectorAll('#passages tbody tr')].map(one => one.innerText)"
    for what in ("came", "left after \\d", "crossed gate, in", "crossed gate, out"):
        chromium.until(
            f"return {rows}.some(one => /:\\d\\d\\s+(front door|yard)\\s+\\d+ {what}/.test(one))"
        )
    label = "return " + tile("yard", ".querySelector('button').ariaLabel")
    assert "gate " in chromium.run(label)
    said = "/^yard, \\d now, \\d+ came, \\d+ left, gate \\d+ in, \\d+ out$/"
    chromium.until(f"return {said}.test({tile('yard', '.querySelector(`button`).ariaLabel')})")
    assert "came" in text(chromium, "#tile-people")
    before = chromium.run("return document.querySelector('#passages tbody button').value")
    chromium.until(f"return document.querySelector('#passages tbody button').value !== {before!r}")
    chromium.until("return /\\d tracks?\\s+·\\s+\\d detection/.test(document.body.innerText)")
    assert "rows per second" in text(chromium, "#throughput").lower()
    hidden = "return getComputedStyle(document.querySelector('%s')).display === 'none'"
    for panel in ("#alarms", "#heard", "#quality", "#tile-alarms"):
        assert chromium.run(hidden % panel)
    assert complaints(chromium) == []


def test_one_camera_can_be_large(chromium: Browser, film: Callable[..., Filming]) -> None:
    """By click, by keyboard and by address; Escape and its button bring all back."""
    filming = film()
    visit(chromium, filming, "#camera=yard")
    wide = (
        "return " + tile("yard", ".offsetWidth") + " > 1.6 * " + tile("front door", ".offsetWidth")
    )
    chromium.until(wide)
    assert chromium.run("return document.querySelector('.camera').dataset.camera") == "yard"
    chromium.run("document.querySelector('#cameras .back').click()")
    chromium.until("return document.querySelectorAll('.camera.large').length === 0")
    chromium.run(tile("front door", ".querySelector('button')") + ".focus()")
    chromium.press(ENTER)
    large = "return document.querySelector('.camera.large')?.dataset.camera === %r"
    chromium.until(large % "front door")
    assert "camera=front%20door" in chromium.run("return location.hash")
    assert text(chromium, "#detail h2") == "front door"
    chromium.press(RIGHT)
    chromium.until(large % "yard")
    focused = chromium.run("return document.activeElement.value")
    assert focused == "yard"
    since = chromium.run("return " + tile("yard", ".querySelector('canvas').dataset.time"))
    chromium.until("return " + tile("yard", f".querySelector('canvas').dataset.time !== '{since}'"))
    chromium.press(ESCAPE)
    chromium.until("return document.querySelectorAll('.camera.large').length === 0")
    assert chromium.run("return location.hash") == "#stream=yard"
    assert complaints(chromium) == []


def test_hostile_names_are_text(chromium: Browser, film: Callable[..., Filming]) -> None:
    """Whatever a camera is called: it is shown as that, with its picture; one that is down too."""
    filming = film(Street(HOSTILE))
    assert filming.site.view.sights is not None
    filming.site.view.sights.up("<b>cellar</b>", False)
    visit(chromium, filming)
    names: Any = chromium.run(
        "return [...document.querySelectorAll('.about .name')].map(one => one.innerText)"
    )
    assert sorted(names) == sorted([*HOSTILE, "<b>cellar</b>"])
    assert (
        chromium.run("return document.querySelectorAll('main img, main b:not(.meter b)').length")
        == 0
    )
    chromium.until("return " + tile("<b>cellar</b>", ".innerText.includes('down')"))
    chromium.run(tile(HOSTILE[1], ".querySelector('button')") + ".click()")
    chromium.until("return " + tile(HOSTILE[1], ".classList.contains('large')"))
    assert complaints(chromium) == []


def test_boxes_without_pictures(chromium: Browser, film: Callable[..., Filming]) -> None:
    """Detections that come from elsewhere have none: tracks are drawn on an empty stage."""
    filming = film(pictures=False)
    visit(chromium, filming, pictured=False)
    for name in filming.street.names:
        dataset = tile(name, ".querySelector('canvas').dataset")
        before = chromium.run(f"return {dataset}.time")
        chromium.until(f"return {dataset}.time !== {json.dumps(before)} && {dataset}.tracks")
    assert complaints(chromium) == []


def test_a_hidden_page_takes_no_pictures(
    chromium: Browser, film: Callable[..., Filming], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come again when somebody looks."""
    monkeypatch.setattr(sights_module, "LOOK_S", 0.7)
    filming = film()
    visit(chromium, filming)
    hide = (
        "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    sights = filming.site.view.sights
    assert sights is not None
    chromium.run(hide % "true")
    deadline = time.monotonic() + 10
    while sights._interval(b"yard", time.time()) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before = chromium.run("return " + tile("yard", ".querySelector('canvas').dataset.time"))
    chromium.run(hide % "false")
    chromium.until(
        "return " + tile("yard", f".querySelector('canvas').dataset.time !== '{before}'")
    )
    chromium.until("return document.querySelectorAll('.picture[data-pictured=true]').length === 2")
    assert complaints(chromium) == []


def test_nothing_sticks_out_sideways(chromium: Browser, film: Callable[..., Filming]) -> None:
    """From the smallest phone to the desktop, also with a very long name, in light and dark."""
    filming = film(Street(("yard", "a-very-long-name-" + "x" * 120)))
    visit(chromium, filming)
    for width in (320, 390, 820, 1280):
        chromium.view(width, 800, dark=width == 390)
        chromium.until(f"return innerWidth === {width}")
        assert chromium.run("return document.documentElement.scrollWidth") <= width
    chromium.view(1280, 900)
