"""The reading of queries that other tests rely on."""

from __future__ import annotations

import pytest

from tests.deploy.prometheus.queries import exported, metrics_of


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ("up == 0", {"up"}),
        ('rate(a_total{b=~"c|{d}", e!="f"}[5m] offset 1h)', {"a_total"}),
        ("sum by (le, b) (a) / ignoring (c) group_left () b:c:d", {"a", "b:c:d"}),
        ("sum(a) without (b) and on (c) d unless e", {"a", "d", "e"}),
        ("histogram_quantile(0.99, sum by (le) (rate(a_bucket[5m]))) > 1e-3", {"a_bucket"}),
        ("a > bool 5 * quantile_over_time(0.9, b:c[1d:5m] offset 15m)", {"a", "b:c"}),
        ("time() - a >= 120", {"a"}),
        ("a:b:bool and bool", {"a:b:bool"}),
        ("0.5 * a or vector(0)", {"a"}),
    ],
)
def test_metrics_are_what_is_left(expr: str, names: set[str]) -> None:
    """Of functions, labels, ranges and words of the language."""
    assert metrics_of(expr) == names


def test_histograms_have_three_series() -> None:
    """And a type without samples counts: its labels are not known yet."""
    text = "# TYPE a_seconds histogram\n# HELP b_total B.\n# TYPE b_total counter\n"
    assert exported(text) == {"a_seconds_bucket", "a_seconds_sum", "a_seconds_count", "b_total"}
