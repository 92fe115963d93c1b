"""The live page in a real browser: it draws, it leads from alarms to streams, it comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from pipeline.block import Reject
from pipeline.monitor.live import LiveView
from tests.pipeline.monitor.browser import Browser, browser
from tests.pipeline.monitor.conftest import TOKEN, Site
from tests.pipeline.monitor.plant import FEATURES, Plant, alarm_records, fill
from tests.pipeline.monitor.serving import monitor_of

DOWN, END, LEFT, ESCAPE = "\ue015", "\ue010", "\ue012", "\ue00c"  # WebDriver's names of keys
INKED = """
  const canvas = document.querySelector('%s');
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.some((byte, i) => i %% 4 === 3 && byte > 0);
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of this file."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@contextmanager
def running(view: LiveView, plant: Plant) -> Iterator[None]:
    """The plant goes on at ten rows a second."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.1):
            view.observe(*plant.step(time.time() - 0.003))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def visit(chromium: Browser, site: Site, rest: str = "") -> None:
    """Open the page with the token and wait for the streams."""
    chromium.open("about:blank")
    chromium.complaints()
    chromium.open(f"http://127.0.0.1:{site.monitor.port}/?token={TOKEN}{rest}")
    chromium.until("return document.querySelectorAll('#streams li').length > 3")


def text(chromium: Browser, selector: str) -> str:
    """What an element says."""
    found = chromium.run(f"return document.querySelector({selector!r}).innerText")
    assert isinstance(found, str)
    return found


def test_the_page_shows_what_runs(chromium: Browser, site: Site) -> None:
    """Header, tiles, streams and charts; no complaint in the console, no token in the address."""
    chromium.view(1280, 900)
    visit(chromium, site)
    assert text(chromium, "h1") == "line <7>"
    for word in ("press-anomaly", "onnxruntime 1.31.1 on cpu", "exactly once"):
        assert word in text(chromium, "[data-id=facts]")
    assert text(chromium, "#top [data-id=state]").strip() == "Running"
    with running(site.view, Plant(40)):
        chromium.until("return /[1-9]/.test(document.querySelector('#tile-rate .value').innerText)")
    assert "40" in text(chromium, "#tile-live")
    for canvas in ("#detail canvas.value", "#detail canvas.score", "#throughput canvas.rows"):
        assert chromium.until(INKED % canvas)
    assert chromium.run("return document.querySelectorAll('.spark path[d^=M]').length") > 3
    assert "token" not in chromium.run("return location.href")
    assert chromium.complaints() == []


def test_alarms_and_dead_letters_arrive_while_looking(chromium: Browser, site: Site) -> None:
    """An alarm opens, is led to by a click, closes; markup in a key is text."""
    visit(chromium, site)
    plant = Plant(40)
    batch, _ = plant.step(time.time())
    batch.key[30] = b"<img src=x onerror=alert(1)>"
    row, start = np.array([30]), np.array([int(time.time() * 1e6)])
    peak = np.array([8.25], np.float32)
    site.view.observe(batch, [alarm_records(batch, row, "open", start, peak, "vibration")])
    chromium.until("return document.querySelector('#alarms tr.open')")
    assert "<img src=x" in text(chromium, "#alarms tr.open")
    assert "8.25" in text(chromium, "#alarms tr.open")
    chromium.until("return document.querySelector('#tile-alarms.alert')")
    chromium.run("document.querySelector('#alarms tr.open button').click()")
    chromium.until("return document.querySelector('#detail h2').innerText.startsWith('<img')")
    assert (
        chromium.run("return document.querySelector('#detail .chip[aria-pressed=true]').innerText")
        == "vibration"
    )
    site.view.observe(batch, [alarm_records(batch, row, "closed", start, peak, "vibration")])
    chromium.until("return document.querySelector('#alarms tbody tr:not(.open)')")
    site.view.rejected(
        [Reject("machines", 2, 4711, 0, b"press-009", b"", "json", "no <b>JSON</b>")]
    )
    chromium.until("return document.querySelector('#dead tbody tr')")
    assert "no <b>JSON</b>" in text(chromium, "#dead tbody")
    assert "machines-2 @ 4711" in text(chromium, "#dead tbody")
    assert chromium.run("return document.querySelectorAll('img').length") == 0
    assert chromium.complaints() == []


def test_a_stream_is_told_with_its_place_in_the_log(chromium: Browser, site: Site) -> None:
    """Partition, offset, slot, how many rows; its alarms and its dead letters, none of others."""
    visit(chromium, site, "#stream=press-006")
    plant = Plant(40)
    fact = "document.querySelector('#inspect dl div:nth-child(%d) dd').innerText"
    with running(site.view, plant):
        chromium.until(f"return /^live$/m.test({fact % 5})")
    batch, _ = plant.step(time.time())
    site.view.observe(batch, [])
    row = np.array([5])
    peak = np.array([6.5], np.float32)
    site.view.observe(batch, [alarm_records(batch, row, "open", batch.time[row], peak, "current")])
    site.view.rejected(
        [
            Reject("machines", 3, offset, 0, key, b"", "json", f"no JSON of {key.decode()}")
            for offset, key in ((77, b"press-006"), (78, b"press-007"))
        ]
    )
    chromium.until(f"return {fact % 2} === '{batch.offset[5]}'")
    assert chromium.run(f"return {fact % 1}") == str(batch.partition[5])
    assert chromium.run(f"return {fact % 5}").startswith("6")
    chromium.until("return document.querySelectorAll('#inspect li').length === 2")
    told = text(chromium, "#inspect")
    assert "1 alarm" in told
    assert "Alarm, current, peak 6.5, still open" in told
    assert "no JSON of press-006 (partition 3, offset 77)" in told
    assert "press-007" not in told


def test_dead_letters_are_shown_by_cause(chromium: Browser, site: Site) -> None:
    """Each cause with its count; a press shows those of it alone, another all."""
    causes = ["json"] * 5 + ["width"] * 2
    site.view.rejected(
        [Reject("in", 0, at, 0, b"a", b"", cause, "no good") for at, cause in enumerate(causes)]
    )
    visit(chromium, site)
    chromium.until("return document.querySelectorAll('#dead tbody tr').length === 7")
    chips = "return [...document.querySelectorAll('#dead .chip')].map(one => one.innerText.trim())"
    assert chromium.run(chips) == ["all 7", "json 5", "width 2"]
    chromium.run("document.querySelector('#dead .chip:nth-child(3)').click()")
    rows = "return [...document.querySelectorAll('#dead tbody code')].map(one => one.innerText)"
    assert chromium.run(rows) == ["width", "width"]
    site.view.rejected([Reject("in", 0, 99, 0, b"a", b"", "width", "no good")])
    chromium.until("return document.querySelectorAll('#dead tbody tr').length === 3")
    pressed = "return document.querySelector('#dead [aria-pressed=true]').innerText"
    assert chromium.run(pressed).startswith("width 3")
    chromium.run("document.querySelector('#dead .chip').click()")
    assert len(chromium.run(rows)) == 8


def test_the_last_minutes_are_charted(chromium: Browser, site: Site) -> None:
    """Rows, batches, latency, lag and streams, each with its figure of now."""
    visit(chromium, site)
    with running(site.view, Plant(40)):
        for chart in ("rows", "batch", "latency", "lag", "live"):
            assert chromium.until(INKED % f"#throughput canvas.{chart}")
            now = f"document.querySelector('#throughput canvas.{chart}').ariaLabel"
            chromium.until(f"return /: [1-9].* now$/.test({now})")
    assert "Lag, records: 12 now" in chromium.run(
        "return [...document.querySelectorAll('#throughput canvas')].map(one => one.ariaLabel)"
    )


def test_streams_are_found_and_chosen_by_keyboard(chromium: Browser, site: Site) -> None:
    """Search, arrow down, enter; arrows in the chart read out single points."""
    visit(chromium, site)
    with running(site.view, Plant(40)):
        chromium.run(
            "const search = document.querySelector('.search'); search.focus();"
            "search.value = 'press-037'; search.dispatchEvent(new Event('input'))"
        )
        chromium.until("return document.querySelectorAll('#streams li').length === 1")
        chromium.press(DOWN)
        assert chromium.run("return document.activeElement.innerText").startswith("press-037")
        chromium.press("\ue007")
        chromium.until("return document.querySelector('#detail h2').innerText === 'press-037'")
        chromium.until(
            "return document.querySelector('#streams button').ariaLabel.includes('score')"
        )
        assert chromium.run("return location.hash") == "#stream=press-037"
        assert chromium.until(INKED % "#detail canvas.value")
        chromium.run("document.querySelector('#detail canvas.value').focus()")
        chromium.press(END)
        chromium.press(LEFT)
        first = text(chromium, "#detail .readout")
        assert "expected" in first
        chromium.press(LEFT)
        assert text(chromium, "#detail .readout") != first
        chromium.press(ESCAPE)


def test_a_link_leads_to_its_stream(chromium: Browser, site: Site) -> None:
    """The address with the stream in it can be kept and sent."""
    visit(chromium, site, "#stream=press-005")
    chromium.until("return document.querySelector('#detail h2').innerText === 'press-005'")
    chromium.until("return document.querySelector('#detail canvas').ariaLabel.includes('points')")


def test_nothing_sticks_out_sideways(chromium: Browser, site: Site) -> None:
    """From the smallest phone to the desktop, light and dark, with long words in it."""
    site.view.rejected(
        [Reject("a-topic-with-a-long-name" * 3, 1, 2**60, 0, b"k" * 300, b"", "json", "x" * 300)]
    )
    visit(chromium, site)
    chromium.until("return document.querySelector('#dead tbody tr')")
    colours = set()
    for dark in (False, True):
        for width in (320, 390, 820, 1440):
            chromium.view(width, 800, dark)
            chromium.until(f"return innerWidth === {width}")
            assert chromium.run("return document.documentElement.scrollWidth") <= width
            colours.add(chromium.run("return getComputedStyle(document.body).backgroundColor"))
    chromium.view(1280, 900)
    assert len(colours) == 2


def test_the_page_comes_back_after_a_restart(chromium: Browser, site: Site) -> None:
    """It says that the connection is lost, and goes on with the new process's data."""
    visit(chromium, site)
    site.monitor.stop()
    chromium.until("return document.querySelector('[data-id=state]').dataset.kind === 'bad'")
    view = LiveView("line reborn", FEATURES, budget=1e9)
    fill(view, Plant(5), time.time(), 5)
    again = monitor_of(
        port=site.monitor.port,
        token=TOKEN,
        registry=site.metrics.registry,
        health=site.vitals,
        view=view,
    )
    again.start()
    try:
        chromium.until("return document.querySelector('h1').innerText === 'line reborn'")
        chromium.until("return document.querySelector('[data-id=state]').dataset.kind === 'good'")
        assert text(chromium, "#tile-live .value") == "5"
    finally:
        again.stop()


def test_recovery_shows_its_progress(chromium: Browser, site: Site) -> None:
    """A pipeline that replays says how far it is."""
    visit(chromium, site)
    site.view.status({"state": "recovering", "recovery": 0.42})
    chromium.until("return document.querySelector('#top progress').value === 0.42")
    assert "42 %" in text(chromium, "#top [data-id=state]")


def test_without_the_cookie_the_browser_sees_the_way_in(chromium: Browser, site: Site) -> None:
    """A person without the token reads what to do, also when it is changed under their eyes."""
    visit(chromium, site)
    assert chromium.run("return document.cookie") == ""  # no script can read it
    chromium.forget_cookies()
    chromium.open(f"http://127.0.0.1:{site.monitor.port}/")
    assert "?token=" in text(chromium, "body")
