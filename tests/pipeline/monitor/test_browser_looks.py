"""The page of several pipelines as it looks: on phones, in the dark, in contrast, at rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.monitor.members import Condition
from tests.pipeline.monitor.browser import Browser, browser
from tests.pipeline.monitor.test_browser_overview import shows, visit
from tests.pipeline.monitor.works import DOORS, FAILURE, HALL, PRESSES, RIVERS, Works

LEAST_CONTRAST = 4.5  # of text, by WCAG 2.2 at level AA
# The text that can be seen, where it has less contrast than that: "text: ratio".
PALE = """
  const parse = (colour) => {
    const found = colour.match(/[\\d.]+/g).map(Number);
    const scale = colour.startsWith('color(srgb') ? 255 : 1;
    return [...found.slice(0, 3).map((one) => one * scale), found[3] ?? 1];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((one, i) => one * a + below[i] * (1 - a));
  const behind = (node) => {
    const own = parse(getComputedStyle(node).backgroundColor);
    return own[3] === 1 || !node.parentElement ? own : over(own, behind(node.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((one) => one / 255).map(
      (one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  let seen = 0;
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement, text = texts.currentNode.textContent.trim();
    if (!text || !node.checkVisibility() || node.closest('.hidden, .skip, script')) continue;
    seen += 1;
    const ground = behind(node);
    const [a, b] = [light(over(parse(getComputedStyle(node).color), ground)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < LEAST) found.push(`${text}: ${ratio.toFixed(2)}`);
  }
  return [seen, found];
""".replace("LEAST", str(LEAST_CONTRAST))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of this file."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def views(chromium: Browser, works: Works) -> Iterator[str]:
    """Show the overview and then one pipeline after the other; the third of them fails."""
    works[RIVERS].condition = Condition("restarting", FAILURE + " " + "x" * 90, 2, 8.0)
    visit(chromium, works)
    chromium.until("return document.querySelector('.card .wrong')")
    yield "overview"
    for name in (PRESSES, HALL, RIVERS, DOORS):
        chromium.run(f"location.hash = '#pipeline={name}'")
        shows(chromium, name)
        yield name


def test_nothing_sticks_out_sideways(chromium: Browser, works: Works) -> None:
    """On the smallest phones, in the overview and in every pipeline."""
    chromium.view(360, 740)
    for view in views(chromium, works):
        for width in (320, 360, 768):
            chromium.view(width, 740)
            chromium.until(f"return innerWidth === {width}")
            assert chromium.run("return document.documentElement.scrollWidth") <= width, view
    assert chromium.complaints() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read(chromium: Browser, works: Works, dark: bool) -> None:
    """Every text that is seen has enough contrast to what is behind it."""
    chromium.view(1280, 900, dark)
    for view in views(chromium, works):
        seen, pale = chromium.run(PALE)
        assert seen > 30, view
        assert pale == [], view
    ground = chromium.run("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(12, 17, 24)") is dark


def test_nothing_jumps_while_figures_change(chromium: Browser, works: Works) -> None:
    """From the first cards on, the layout stays where it is."""
    chromium.view(1280, 900)
    visit(chromium, works)
    chromium.run(
        "window.jumps = 0; window.messages = 0;"
        "new PerformanceObserver((list) => list.getEntries().forEach((one) => {"
        "  window.jumps += one.value; })).observe({type: 'layout-shift'});"
        "const rate = document.querySelector('[data-id=rate]');"
        "new MutationObserver(() => { window.messages += 1; }).observe(rate, {childList: true})"
    )
    works[RIVERS].condition = Condition("restarting", FAILURE, 2, 8.0)
    chromium.until("return document.querySelector('.card .wrong')")
    works[RIVERS].condition = Condition()
    chromium.until("return !document.querySelector('.card .wrong') && window.messages > 6")
    assert chromium.run("return window.jumps") < 0.01


def test_nothing_moves_for_who_wants_that(chromium: Browser, works: Works) -> None:
    """No transition, no animation, no smooth scrolling where reduced motion is asked for."""
    moving = (
        "return [...document.querySelectorAll('*')].filter((node) => {"
        "  const style = getComputedStyle(node);"
        "  return style.transitionDuration !== '0s' || style.animationName !== 'none'"
        "    || style.scrollBehavior === 'smooth'; }).length"
    )
    chromium.view(1280, 900)
    visit(chromium, works)
    assert chromium.run(moving) > 0
    chromium.view(1280, 900, still=True)
    assert chromium.run(moving) == 0
    chromium.view(1280, 900)
