"""The live page of a forecast pipeline in a real browser: series, forecast, band and quality."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipeline.metrics import Metrics
from pipeline.monitor import page
from pipeline.monitor.health import Vitals
from tests.pipeline.monitor.browser import Browser, browser
from tests.pipeline.monitor.conftest import TOKEN, Site
from tests.pipeline.monitor.gauges import Gauges, view_of
from tests.pipeline.monitor.serving import monitor_of
from tests.pipeline.monitor.test_browser import END, INKED, LEFT, text, visit

HUES = """
  const canvas = document.querySelector('#detail canvas.value');
  const {data, width} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const [red, green, blue] = [0x7c, 0x3a, 0xed];
  const places = [];
  for (let i = 0; i < data.length; i += 4) {
    const off = [red, green, blue].reduce((sum, of, at) => sum + Math.abs(data[i + at] - of), 0);
    if (data[i + 3] > 30 && off < 40) places.push((i / 4) % width / width);
  }
  return places.length > 200 ? [Math.min(...places), Math.max(...places)] : null;
"""


def complaints(chromium: Browser) -> list[str]:
    """What the console says, but for what reading the canvas in this test brings about."""
    return [one for one in chromium.complaints() if "willReadFrequently" not in one]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of this file."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.view(1280, 900)
        yield opened


@pytest.fixture
def rivers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Site, Gauges]]:
    """A monitor of gauges that have run for five days; two rows a second and stream come."""
    monkeypatch.setattr(page, "EVERY_S", 0.1)
    view, gauges = view_of(), Gauges()
    for _ in range(240):
        view.observe(*gauges.step())
    metrics, vitals = Metrics("rivers"), Vitals(stale_after_s=3600)
    monitor = monitor_of(port=0, token=TOKEN, registry=metrics.registry, health=vitals, view=view)
    monitor.start()
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.5):
            view.observe(*gauges.step())

    thread = threading.Thread(target=run)
    thread.start()
    yield Site(monitor, view, vitals, metrics), gauges
    stop.set()
    thread.join()
    monitor.stop()


def test_the_forecast_is_drawn_ahead_of_the_series(
    chromium: Browser, rivers: tuple[Site, Gauges]
) -> None:
    """In its colour, at the right of the chart; the arrow keys read it out; nothing complains."""
    site, _ = rivers
    visit(chromium, site, "#stream=gauge-05")
    chromium.until("return document.querySelector('#detail h2').innerText === 'gauge-05'")
    left, right = chromium.until(HUES)
    assert 0.75 < left < 0.9 < right
    words = text(chromium, "#detail .legend")
    for word in ("level, m", "forecast", "80 % band", "foreseen 1 step before"):
        assert word in words
    assert "and a forecast to" in chromium.run(
        "return document.querySelector('#detail canvas').ariaLabel"
    )
    chromium.run("document.querySelector('#detail canvas.value').focus()")
    chromium.press(END)
    last = text(chromium, "#detail .readout")
    assert "48 steps ahead" in last
    assert " to " in last
    chromium.press(LEFT)
    assert "47 steps ahead" in text(chromium, "#detail .readout")
    assert complaints(chromium) == []


def test_it_moves_on_with_the_rows(chromium: Browser, rivers: tuple[Site, Gauges]) -> None:
    """Each row brings a new forecast, later than the one before."""
    site, _ = rivers
    visit(chromium, site, "#stream=gauge-07")
    label = "return document.querySelector('#detail canvas').ariaLabel"
    chromium.until(f"{label}.includes('forecast')")
    before = chromium.run(label)
    chromium.until(f"{label} !== {before!r}")


def test_quality_is_shown_instead_of_alarms(chromium: Browser, rivers: tuple[Site, Gauges]) -> None:
    """Coverage and loss by horizon, and as a figure at the top; a forecast has no alarms."""
    site, _ = rivers
    visit(chromium, site)
    hidden = "return getComputedStyle(document.querySelector('%s')).display === 'none'"
    assert chromium.until(hidden % "#alarms")
    assert chromium.run(hidden % "#tile-alarms")
    assert not chromium.run(hidden % "#quality")
    chromium.until(
        "return /^[78]\\d/.test(document.querySelector('#tile-quality .value').innerText)"
    )
    assert "of 80 %; loss 0." in text(chromium, "#tile-quality")
    for canvas in ("#quality canvas.coverage", "#quality canvas.loss"):
        assert chromium.until(INKED % canvas)
    for word in ("1 step ahead", "24 steps ahead", "48 steps ahead"):
        assert word in text(chromium, "#quality .legend")
    chromium.until(
        "return /horizon: 0.\\d+, 0.\\d+, 0.\\d+/"
        ".test(document.querySelector('#quality canvas.coverage').ariaLabel)"
    )
    assert complaints(chromium) == []


def test_a_feature_that_is_not_foreseen_has_no_forecast(
    chromium: Browser, rivers: tuple[Site, Gauges]
) -> None:
    """Its values are drawn as ever."""
    site, _ = rivers
    visit(chromium, site, "#stream=gauge-05")
    chromium.until(HUES)
    chromium.run("document.querySelectorAll('#detail .chip')[1].click()")
    chromium.until("return document.querySelector('#detail .legend').innerText.includes('rain')")
    assert "band" not in text(chromium, "#detail .legend")
    assert chromium.run(HUES) is None
    assert complaints(chromium) == []


def test_nothing_sticks_out_sideways(chromium: Browser, rivers: tuple[Site, Gauges]) -> None:
    """From the smallest phone to the desktop."""
    site, _ = rivers
    visit(chromium, site)
    for width in (320, 390, 820, 1280):
        chromium.view(width, 800)
        chromium.until(f"return innerWidth === {width}")
        assert chromium.run("return document.documentElement.scrollWidth") <= width
    chromium.view(1280, 900)
