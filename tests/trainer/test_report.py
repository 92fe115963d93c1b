"""The report: what stands in the page and in the JSON, and the figures in it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.report import plain_text, render, write_report
from trainer.report_figures import POINTS, curve_figure, series_figure, thin

VOID = {"meta", "br", "link", "img"}


class Balanced(HTMLParser):
    """Collects the texts of a page and fails on tags that don't close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what must be closed."""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """The tag that closes is the one opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the page's words."""
        if self.open and self.open[-1] != "style" and data.strip():
            self.texts.append(data.strip())


def texts(page: str) -> list[str]:
    """The texts of a page that is well formed."""
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser.texts


def full_report() -> dict[str, object]:
    """A report that uses every key."""
    return {
        "title": "Press <7>",
        "task": "anomaly",
        "summary": "Two & three.",
        "created": "2025-01-02",
        "command": "streamcell train anomaly rows.csv",
        "verdict": {"good": False, "text": "Below the baseline."},
        "headline": [{"label": "F1", "value": np.float32(0.5), "note": "baseline 0.6"}],
        "tables": [
            {
                "title": "Scores",
                "columns": ["detector", "score", "n"],
                "rows": [["ours", -0.12345, 1200], ["theirs", None, 7]],
                "digits": [0, 2, 0],
                "highlight": [0],
            }
        ],
        "notes": ["Mind the gap."],
        "settings": {"seed": 3, "anomaly": {"hidden": 64}},
        "training_time": {"epochs": np.int64(12), "loss": float("nan"), "curve": list(range(99))},
        "details": {"raw": np.arange(3)},
        "figures": [curve_figure("Loss", {"train": [3.0, 2.0], "validation": [4.0, 3.5]}, best=2)],
    }


def test_page_says_everything_and_is_well_formed() -> None:
    """Each key reaches the page, escaped, with numbers in the stated form."""
    page = render(full_report())
    words = texts(page)
    for wanted in (
        *("Press <7>", "Two & three.", "Below the baseline.", "Mind the gap.", "Loss"),
        *("\u22120.12", "1\u202f200", "0.500", "anomaly.hidden", "Training time", "12"),
    ):
        assert wanted in words, wanted
    assert '<td class="number">\u2013</td>' in page


def test_json_beside_it_has_all_but_the_figures(tmp_path: Path) -> None:
    """Numpy numbers become plain ones, NaN null, the drawings stay in the page."""
    write_report(tmp_path / "new" / "report.html", full_report())
    found = json.loads((tmp_path / "new" / "report.json").read_text())
    assert "figures" not in found
    assert found["training_time"]["loss"] is None
    assert found["details"]["raw"] == [0, 1, 2]
    assert found["headline"][0]["value"] == 0.5


def test_page_needs_no_network(tmp_path: Path) -> None:
    """No script, no link, no reference out of the page; both colour schemes are in it."""
    write_report(tmp_path / "report.html", full_report())
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r"<script|<link|@import|src=|url\((?!#)", page)
    assert set(re.findall(r'https?://[^"\s]+', page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "prefers-color-scheme: dark" in page


def test_least_report() -> None:
    """A title is enough."""
    assert texts(render({"title": "Empty"})) == ["Empty", "Empty"]


def test_a_report_of_foreign_objects_is_refused(tmp_path: Path) -> None:
    """What has no JSON form is an error, not a string of its address."""
    with pytest.raises(TypeError):
        write_report(tmp_path / "report.html", {"title": "x", "details": object()})


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.12345, 3, "0.123"),
        (-2.0, 1, "\u22122.0"),
        (1234567, 0, "1\u202f234\u202f567"),
        (True, 3, "yes"),
        (float("inf"), 3, "\u2013"),
        (0.000012345, None, "1.234e\u221205"),
        ("NAB", 3, "NAB"),
    ],
)
def test_cells_for_people(value: object, digits: int | None, text: str) -> None:
    """Decimals as asked, thin spaces in large numbers, a real minus, a dash for nothing."""
    assert plain_text(value, digits) == text


def long_series(rows: int, features: int) -> dict[str, str]:
    """A figure of noise, the densest thing that can be drawn, with many alarms."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(rows, features))
    flags = rng.random(rows) < 0.01
    return series_figure(
        "machine",
        values,
        times=np.int64(1_400_000_000_000_000) + np.arange(rows) * 60_000_000,
        features=[f"f{i}" for i in range(features)],
        expected=values + rng.normal(size=values.shape),
        score=rng.random(rows),
        threshold=rng.random(rows),
        alarms=flags,
        labels=np.roll(flags, 100),
    )


def test_long_series_stay_small_and_parse() -> None:
    """60,000 rows of three features with 600 alarms are under 300 kB of valid SVG."""
    svg = long_series(60_000, 3)["svg"]
    assert len(svg) < 300_000
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own text
    assert root.tag.endswith("svg")
    assert "width" not in root.attrib
    assert "viewBox" in root.attrib


def test_figures_take_the_pages_colours() -> None:
    """No colour is fixed, so that the dark page has readable lines."""
    svg = long_series(500, 1)["svg"]
    assert "var(--series)" in svg
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) <= {"#000000", "#ffffff"}
    assert "fill: #ffffff" not in svg


def test_figure_is_reproducible() -> None:
    """The same series draws the same text, without the time of day."""
    assert long_series(300, 1) == long_series(300, 1)


def test_score_without_times_or_threshold() -> None:
    """Row numbers stand in for times, and constant and NaN values draw."""
    values = np.full(50, 3.0)
    expected = np.full(50, np.nan)
    svg = series_figure("flat", values, expected=expected, score=np.zeros(50))["svg"]
    assert ">row<" in svg
    assert "threshold" not in svg


@given(st.integers(1, 20_000), st.integers(0, 2**32 - 1))
def test_thinning_keeps_the_extremes_in_order(rows: int, seed: int) -> None:
    """The largest and the smallest value stay, positions rise, and there are few of them."""
    values = np.random.default_rng(seed).normal(size=rows)
    at = thin(values, 100)
    assert len(at) <= max(100, 1)
    assert (np.diff(at) > 0).all()
    assert values[at].max() == values.max()
    assert values[at].min() == values.min()


def test_thinning_leaves_short_lines_alone() -> None:
    """Nothing is dropped that can be drawn."""
    assert thin(np.arange(POINTS, dtype=float)).tolist() == list(range(POINTS))
