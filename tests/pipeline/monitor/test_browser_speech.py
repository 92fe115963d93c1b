"""The live page of a speech pipeline in a real browser: level, keywords and words as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from pipeline.metrics import Metrics
from pipeline.monitor import page
from pipeline.monitor.health import Vitals
from tests.pipeline.monitor.browser import Browser, browser
from tests.pipeline.monitor.callers import CHUNK_S, Callers, Form, view_of
from tests.pipeline.monitor.conftest import TOKEN, Site
from tests.pipeline.monitor.serving import monitor_of
from tests.pipeline.monitor.test_browser import END, INKED, LEFT, text, visit

TAB, ENTER = "\ue004", "\ue007"
SAID = "is the kettle on and are the others there by now"  # takes four seconds
Hall = tuple[Site, Callers]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of this file."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.view(1280, 900)
        yield opened


@contextmanager
def hall_of(form: Form) -> Iterator[Hall]:
    """A monitor of callers that were heard for half a minute, and go on."""
    view, callers = view_of(form), Callers(form)
    rows = round(30 / CHUNK_S)
    for row in range(rows):
        view.observe(*callers.step(time.time() - (rows - row) * CHUNK_S))
    metrics, vitals = Metrics("hall"), Vitals(stale_after_s=3600)
    monitor = monitor_of(port=0, token=TOKEN, registry=metrics.registry, health=vitals, view=view)
    monitor.start()
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(CHUNK_S):
            view.observe(*callers.step(time.time()))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield Site(monitor, view, vitals, metrics), callers
    finally:
        stop.set()
        thread.join()
        monitor.stop()


@pytest.fixture
def hall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Form], Hall]]:
    """Opens halls, and closes them after the test."""
    monkeypatch.setattr(page, "EVERY_S", 0.1)
    with ExitStack() as open_halls:
        yield lambda form: open_halls.enter_context(hall_of(form))


def complaints(chromium: Browser) -> list[str]:
    """What the console says, but for what reading the canvas in this test brings about."""
    return [one for one in chromium.complaints() if "willReadFrequently" not in one]


def test_words_are_shown_as_they_come(chromium: Browser, hall: Callable[[Form], Hall]) -> None:
    """First as running text, then as a line of the list with its confidence; in the chart too."""
    site, callers = hall("words")
    visit(chromium, site, "#stream=hall-1%2Fmic-2")
    assert chromium.until("return document.querySelector('#heard h2').innerText === 'Words'")
    callers._script[1][:] = [0] * 4000
    callers.say(1, SAID)
    said = "document.querySelector('#ear .said')"
    chromium.until(
        f"return {said}.classList.contains('running') && /^is the k.* …$/.test({said}.innerText)"
    )
    running = "[...document.querySelectorAll('#heard tr.running')]"
    chromium.until(f"return {running}.some(one => one.innerText.includes('hall-1/mic-2'))")
    whole = "[...document.querySelectorAll('#heard tr:not(.running)')].map(one => one.innerText)"
    chromium.until(f"return {whole}.some(one => /mic-2\\s+{SAID}\\s+0\\.\\d/.test(one))")
    chromium.until(f"return {said}.innerText === {SAID!r}")
    announced = "document.querySelector('#ear [aria-live]').innerText"
    chromium.until(f"return {announced} === {SAID!r}")
    assert "heard" in text(chromium, "#detail .legend")
    mine = (
        "[...document.querySelectorAll('#streams li')].find(li => li.innerText.includes('mic-2'))"
    )
    chromium.until(f"return {mine}.innerText.includes({SAID!r})")
    assert complaints(chromium) == []


def test_keywords_are_listed(chromium: Browser, hall: Callable[[Form], Hall]) -> None:
    """With time, stream and score, newest first; counted at the top."""
    site, callers = hall("keywords")
    visit(chromium, site)
    chromium.until("return document.querySelector('#heard h2').innerText === 'Keywords'")
    for script in callers._script:
        script[:] = [0] * 4000
    before = chromium.run("return Number(document.querySelector('#tile-heard .value').innerText)")
    assert before > 3
    callers.say(5, "lights off")
    first = "document.querySelector('#heard tbody tr').innerText"
    chromium.until(
        f"return /\\d\\d:\\d\\d:\\d\\d\\s+hall-2.mic-2\\s+lights off\\s+0\\.\\d/.test({first})"
    )
    chromium.until(
        f"return Number(document.querySelector('#tile-heard .value').innerText) > {before}"
    )
    assert "keywords in 10 min" in text(chromium, "#tile-heard")
    assert complaints(chromium) == []


def test_the_level_is_that_of_the_stream(chromium: Browser, hall: Callable[[Form], Hall]) -> None:
    """A meter that says its value, a chart in decibels that the arrow keys read out."""
    site, callers = hall("words")
    visit(chromium, site, "#stream=hall-1%2Fmic-3")
    meter = "document.querySelector('#ear .meter')"
    chromium.until(f"return {meter}.getAttribute('aria-valuenow') !== null")
    callers._script[2][:] = [0] * 4000
    chromium.until(f"return /^−[56]\\d dBFS$/.test({meter}.getAttribute('aria-valuetext'))")
    assert chromium.until(INKED % "#detail canvas.value")
    callers.say(2, "all pumps are running now all of them for a long time to come")
    chromium.until(f"return Number({meter}.getAttribute('aria-valuenow')) > -35")
    assert chromium.run(f"return {meter}.querySelector('i').offsetWidth > 40")
    chromium.run("document.querySelector('#detail canvas.value').focus()")
    chromium.press(END)
    assert "dBFS · peak −" in text(chromium, "#detail .readout")
    chromium.press(LEFT)
    for word in ("level, dBFS", "peak"):
        assert word in text(chromium, "#detail .legend")
    hidden = "return getComputedStyle(document.querySelector('%s')).display === 'none'"
    for panel in ("#alarms", "#quality", "#tile-alarms", "#detail canvas.score"):
        assert chromium.run(hidden % panel)
    assert complaints(chromium) == []


def test_the_keyboard_leads_from_words_to_the_stream(
    chromium: Browser, hall: Callable[[Form], Hall]
) -> None:
    """Tab reaches the list, Enter shows the stream; the focus stays with its stream."""
    site, callers = hall("words")
    visit(chromium, site, "#stream=hall-3%2Fmic-4")
    link = "document.querySelector('#heard tr:not(.running) button:not([value*=\"hall-3/mic-4\"])')"
    chromium.until(f"return {link} !== null")
    chromium.run("document.querySelector('#heard .scroll').focus()")
    chromium.press(TAB)
    assert chromium.run("return document.activeElement.closest('#heard') !== null")
    chromium.run(f"{link}.focus()")
    chosen = chromium.run("return document.activeElement.innerText")
    chromium.press(ENTER)
    chromium.until(f"return document.querySelector('#detail h2').innerText === {chosen!r}")
    assert chromium.run("return document.activeElement.innerText") == chosen
    # A running text that has the focus hands it on to what it becomes.
    stream = callers.keys.index(chosen.encode())
    callers._script[stream][:] = [0] * 4000
    callers.say(stream, "is the kettle on")
    links = "[...document.querySelectorAll('#heard tr.running button')]"
    running = f"{links}.find(link => link.value === {chosen!r})"
    chromium.until(
        f"const one = {running}; one?.focus(); return one && document.activeElement === one"
    )
    chromium.until(f"return {running} === undefined")
    assert chromium.run("return document.activeElement.innerText") == chosen
    assert complaints(chromium) == []


def test_nothing_sticks_out_sideways(chromium: Browser, hall: Callable[[Form], Hall]) -> None:
    """From the smallest phone to the desktop, also with a very long word."""
    site, callers = hall("words")
    callers.say(0, "a" + "bc" * 60)
    visit(chromium, site)
    for width in (320, 390, 820, 1280):
        chromium.view(width, 800)
        chromium.until(f"return innerWidth === {width}")
        assert chromium.run("return document.documentElement.scrollWidth") <= width
    chromium.view(1280, 900)
