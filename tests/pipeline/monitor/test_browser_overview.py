"""Several pipelines in a real browser: side by side, one at a time, and when one of them fails."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pipeline.monitor import page
from pipeline.monitor.members import Condition, State
from tests.pipeline.monitor.browser import Browser, browser
from tests.pipeline.monitor.conftest import TOKEN
from tests.pipeline.monitor.test_browser import INKED, text
from tests.pipeline.monitor.works import (
    DOORS,
    FAILURE,
    HALL,
    PRESSES,
    RIVERS,
    Works,
    hall,
    presses,
    rivers,
)

TAB, ENTER = "\ue004", "\ue007"  # WebDriver's names of keys


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of this file."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.view(1280, 900)
        yield opened


def visit(chromium: Browser, works: Works, rest: str = "") -> None:
    """Open the page with the token and wait for what the address names."""
    chromium.open("about:blank")
    chromium.complaints()
    chromium.open(f"http://127.0.0.1:{works.monitor.port}/?token={TOKEN}{rest}")
    if rest:
        chromium.until("return document.querySelectorAll('#streams li').length > 1")
    else:
        cards = len(works.works)
        chromium.until(f"return document.querySelectorAll('.card').length === {cards}")


def card(name: str, rest: str = "") -> str:
    """The selector of a pipeline's card, or of something in it."""
    return f".card[data-pipeline='{name}'] {rest}".strip()


def figure(name: str, label: str) -> str:
    """JavaScript for a figure on a pipeline's card."""
    figures = json.dumps(card(name, "dl div"))
    return (
        f"[...document.querySelectorAll({figures})]"
        f".find(one => one.firstChild.innerText === {label!r}).lastChild.innerText"
    )


def shows(chromium: Browser, name: str) -> None:
    """Wait until the page shows this pipeline and its streams."""
    chromium.until(f"return document.querySelector('h1').innerText === {name!r}")
    chromium.until("return document.querySelectorAll('#streams li').length > 1")


def test_each_pipeline_has_its_card(chromium: Browser, works: Works) -> None:
    """Task, state in words, rows, lag, streams, what the task counts, and all rows together."""
    visit(chromium, works)
    tasks = {PRESSES: "anomaly", HALL: "speech", RIVERS: "forecast", DOORS: "tracking"}
    for name, task in tasks.items():
        assert text(chromium, card(name, "h2")) == name
        assert task in text(chromium, card(name, ".facts"))
        assert text(chromium, card(name, ".standing")).strip() == "Running"
        rate = f"document.querySelector({card(name, '.pulse strong')!r}).innerText"
        chromium.until(f"return Number({rate}.replace(',', '')) > 3")
        assert chromium.run(
            f"return document.querySelector({card(name, '.spark path')!r}).getAttribute('d')"
        )
    assert chromium.run("return " + figure(PRESSES, "Streams")) == "40"
    chromium.until("return " + figure(PRESSES, "Lag") + " > 7")
    chromium.until("return " + figure(HALL, "Utterances") + " > 0")
    chromium.until("return " + figure(DOORS, "In the pictures") + " > 0")
    chromium.until("return " + figure(RIVERS, "In the band") + ".endsWith('%')")
    assert "came" in text(chromium, card(DOORS, ".last"))
    assert text(chromium, "#top [data-id=state]").strip() == "All 4 running"
    assert chromium.until(INKED % "#overview canvas.total")
    total = "Number(document.querySelector('[data-id=rate]').innerText.replace(',', ''))"
    chromium.until(f"return {total} > 400")
    # Everything came from this process.
    asked = chromium.run("return performance.getEntriesByType('resource').map(one => one.name)")
    assert all(one.startswith(("data:", chromium.run("return location.origin"))) for one in asked)
    assert chromium.complaints() == []


def test_a_click_leads_to_a_pipeline_and_back_leads_back(chromium: Browser, works: Works) -> None:
    """The whole card is the link; nothing of another pipeline is left; pictures come along."""
    visit(chromium, works)
    chromium.click(card(PRESSES, ".spark"))
    shows(chromium, PRESSES)
    chromium.until("return location.hash.startsWith('#pipeline=press-line-7&stream=press-')")
    chromium.run("history.back()")
    chromium.until("return !document.querySelector('#overview').hidden")
    assert chromium.run("return document.querySelector('#pipeline').hidden")
    chromium.click(card(DOORS))
    shows(chromium, DOORS)
    chromium.until("return document.querySelectorAll('.picture[data-pictured=true]').length === 2")
    assert "press-" not in text(chromium, "main:not([hidden])")
    chromium.click(".crew li:nth-child(3) a")
    shows(chromium, HALL)
    current = "return document.querySelector('.crew [aria-current=page]').innerText"
    assert chromium.run(current).startswith(HALL)
    chromium.run(
        "const { fetch } = window; window.asked = [];"
        "window.fetch = (what) => { window.asked.push(what); return fetch(what); };"
        "const search = document.querySelector('.search');"
        "search.value = 'mic-4'; search.dispatchEvent(new Event('input'))"
    )
    chromium.until("return document.querySelectorAll('#streams li').length === 3")
    chromium.until(f"return window.asked.includes('/streams?pipeline={HALL}&q=mic-4')")
    chromium.run("history.back()")
    shows(chromium, DOORS)
    chromium.run("history.go(-1)")
    chromium.until("return !document.querySelector('#overview').hidden")
    assert chromium.complaints() == []


def test_the_keyboard_alone_is_enough(chromium: Browser, works: Works) -> None:
    """Tab reaches every card, with a rim to see; Enter opens it, Back returns to where one was."""
    visit(chromium, works)
    chromium.press(TAB)
    assert chromium.run("return document.activeElement.className") == "skip"
    chromium.press(ENTER)
    assert chromium.run("return document.activeElement.id") == "overview"
    chromium.press(TAB)
    chromium.press(TAB)
    focused = "return document.activeElement.innerText"
    assert chromium.run(focused) == HALL
    rim = "return getComputedStyle(document.activeElement, '::after').outlineStyle"
    assert chromium.run(rim) == "solid"
    chromium.press(ENTER)
    shows(chromium, HALL)
    assert chromium.run("return document.activeElement.tagName") == "H1"
    chromium.press(TAB)
    assert chromium.run(focused) == "Overview"
    chromium.run("history.back()")
    chromium.until(f"{focused} === {HALL!r}")
    landmarks = chromium.run(
        "return ['header', 'nav', 'main:not([hidden])', 'h1'].map("
        "one => document.querySelectorAll(one).length)"
    )
    assert landmarks == [1, 1, 1, 1]


def test_an_address_leads_to_a_stream_or_a_camera(chromium: Browser, works: Works) -> None:
    """It can be kept and sent; one of a pipeline that is not there says so."""
    visit(chromium, works, f"#pipeline={HALL}&stream=hall-2%2Fmic-3")
    chromium.until("return document.querySelector('#detail h2').innerText === 'hall-2/mic-3'")
    visit(chromium, works, f"#pipeline={DOORS}&camera=yard")
    chromium.until("return document.querySelector('.camera.large')?.dataset.camera === 'yard'")
    chromium.run("location.hash = '#pipeline=cellar'")
    chromium.until("return document.querySelector('#trouble').innerText.includes('“cellar”')")
    assert chromium.run("return document.querySelectorAll('.crew [aria-current]').length") == 0
    assert "yard" not in chromium.run("return document.body.innerText")
    assert chromium.complaints() == []


def test_a_failing_pipeline_tells_why_and_when(chromium: Browser, works: Works) -> None:
    """On its card and on its page: error, countdown, then all is well again; others run on."""
    visit(chromium, works)
    works[RIVERS].condition = Condition("restarting", FAILURE, 2, 8.2)
    badge = f"document.querySelector({card(RIVERS, '.standing')!r}).innerText.trim()"
    chromium.until(f"return {badge} === 'Restarting in 9 s'")
    assert text(chromium, card(RIVERS, ".last")) == FAILURE
    assert chromium.run("return " + figure(RIVERS, "Restarts")) == "2"
    assert chromium.run(f"return document.querySelector({card(RIVERS)!r}).dataset.kind") == "bad"
    assert text(chromium, "#top [data-id=state]").strip() == "3 of 4 running"
    works[RIVERS].condition = Condition("restarting", FAILURE, 2, 3.4)
    chromium.until(f"return {badge} === 'Restarting in 4 s'")
    chromium.click(card(RIVERS))
    told = "const told = document.querySelector('#trouble'); return told.checkVisibility() && told"
    chromium.until(f"{told}.innerText.includes('SASL')")
    assert "Next attempt in 4 s" in text(chromium, "#trouble")
    assert text(chromium, "#top [data-id=state]").strip() == "Restarting"
    works[RIVERS].condition = Condition("running", FAILURE, 3)
    chromium.until("return document.querySelector('#trouble').hidden")
    works[RIVERS].vitals.wait("source", "the broker does not answer")
    chromium.until(f"{told}.innerText.includes('not answer')")
    states: tuple[State, ...] = ("failed", "ended")
    for state in states:
        works[RIVERS].condition = Condition(state, FAILURE if state == "failed" else "", 3)
        shown = "document.querySelector('#top [data-id=state]').innerText.trim()"
        chromium.until(f"return {shown} === {state.capitalize()!r}")
    chromium.run("history.back()")
    chromium.until(f"return {badge} === 'Ended'")
    assert chromium.complaints() == []


def test_starting_recovering_and_empty_pipelines(chromium: Browser, works: Works) -> None:
    """Before the first look at a pipeline, while it replays, and before its first row."""
    works[HALL].condition, works[HALL].assembled = Condition("starting"), False
    works[PRESSES].view.status({"state": "recovering", "recovery": 0.42})
    visit(chromium, works)
    assert text(chromium, card(HALL, ".standing")).strip() == "Starting"
    assert text(chromium, card(HALL, ".last")) == "No rows yet."
    chromium.until(f"return document.querySelector({card(PRESSES, 'progress')!r})?.value === 0.42")
    assert "42 %" in text(chromium, card(PRESSES, ".standing"))
    chromium.click(card(HALL))
    chromium.until("return document.querySelector('.pending').offsetHeight > 0")
    works[HALL].condition, works[HALL].assembled = Condition(), True
    shows(chromium, HALL)
    works[PRESSES].view.status({"state": "running", "recovery": 1.0})


def test_the_page_outlives_the_process(chromium: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that nobody answers, and goes on with whatever pipelines the next process has."""
    monkeypatch.setattr(page, "EVERY_S", 0.1)
    before = Works([presses(8), hall(), rivers()], TOKEN)
    before.fill(3)
    before.monitor.start()
    port = before.monitor.port
    try:
        visit(chromium, before)
    finally:
        before.monitor.stop()
    chromium.until("return !document.querySelector('#lost').hidden")
    for made, check in (
        ([hall(), presses(5)], "return document.querySelectorAll('.card').length === 2"),
        ([presses(6)], f"return document.querySelector('h1').innerText === {PRESSES!r}"),
        ([rivers(), hall()], "return document.querySelector('h1').innerText === 'river-levels'"),
    ):
        after = Works(made, TOKEN, port)
        after.fill(2)
        after.monitor.start()
        try:
            chromium.until(check)
            chromium.until("return document.querySelector('#lost').hidden")
        finally:
            after.monitor.stop()
        chromium.until("return !document.querySelector('#lost').hidden")


def test_what_a_pipeline_did_before_its_restart_stays(chromium: Browser, works: Works) -> None:
    """Its next attempt knows nothing of it; the sums of seconds that both saw are right."""
    visit(chromium, works)
    chromium.run("""
      import('/static/fleet.js').then(({ Fleet }) => {
        const fleet = new Fleet();
        const all = (rows, value) => rows.map(() => value);
        const tell = (name, boot, first, from, rows) => {
          const [rejects, events, p99] = [all(rows, 0), all(rows, 0), all(rows, null)];
          const view = { boot, first, status: {}, seconds: { from, rows, rejects, events, p99 } };
          fleet.apply({ time: 1, pipelines: [{ name, view }] });
        };
        tell('a', 'one', true, 100, [1, 2, 3]);
        tell('a', 'one', false, 103, [4]);
        tell('a', 'two', true, 101, [0, 0, 10, 5]);
        const { x, y } = fleet.total();
        window.found = [fleet.cards[0].seconds.rows, y.slice(-4), x.at(-1)];
      })""")
    assert chromium.until("return window.found") == [[2, 3, 14, 5], [2, 3, 14, 5], 104_000]


def test_many_seconds_are_drawn_as_few_points(chromium: Browser, works: Works) -> None:
    """The mean of some seconds each, or the most; what is not known is no zero."""
    visit(chromium, works)
    chromium.run("""
      import('/static/seconds.js').then(({ most, thinned }) => {
        const x = Array.from({ length: 12 }, (_, at) => (120 + at) * 1000);
        const y = [1, 3, null, 5, null, null, 0, 0, 0, 9, 9, 9];
        const canvas = { clientWidth: 64 + 8 }; // room for eight pixels: three seconds a point
        window.found = [thinned(canvas, x, y), thinned(canvas, x, y, most).y,
          thinned({ clientWidth: 2000 }, x, y).y.length];
      })""")
    means, most, wide = chromium.until("return window.found")
    assert means == {"x": [121_500, 124_500, 127_500, 130_500], "y": [2, 5, 0, 9]}
    assert most == [3, 5, 0, 9]
    assert wide == 9
