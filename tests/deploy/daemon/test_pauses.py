"""How long a pipeline that fails waits before it is started again."""

from __future__ import annotations

import pytest

from deploy.daemon.pauses import CALM_S, FIRST_S, LONGEST_S, SPREAD, Pauses

MIDDLE = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def spread(pause_s: float, middle_s: float) -> bool:
    """Whether a pause is what it should be, give or take a fifth."""
    return middle_s * (1 - SPREAD) <= pause_s <= middle_s * (1 + SPREAD)


def test_pauses_double_up_to_the_longest() -> None:
    """From a second to a minute."""
    pauses = Pauses()
    assert (MIDDLE[0], MIDDLE[-1]) == (FIRST_S, LONGEST_S)
    for middle_s in MIDDLE:
        assert spread(pauses.after(lasted_s=0.1), middle_s)


def test_after_a_calm_attempt_they_begin_anew() -> None:
    """One that lasted just too short counts as another failure in a row."""
    pauses = Pauses()
    for _ in MIDDLE:
        pauses.after(0.0)
    assert spread(pauses.after(CALM_S - 0.1), LONGEST_S)
    assert spread(pauses.after(CALM_S), FIRST_S)
    assert spread(pauses.after(0.0), 2 * FIRST_S)


def test_devices_do_not_come_back_in_step() -> None:
    """Two that failed at the same moment wait for different times."""
    waited = [Pauses().after(0.0) for _ in range(20)]
    assert len(set(waited)) == len(waited)
    assert max(waited) - min(waited) > SPREAD * FIRST_S / 10


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_spread_has_its_limits(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the ends of chance."""
    monkeypatch.setattr("random.uniform", lambda low, high: low + (high - low) * value)
    edge = FIRST_S * (1 - SPREAD if value == 0 else 1 + SPREAD)
    assert Pauses().after(0.0) == pytest.approx(edge)
