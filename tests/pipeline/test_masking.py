"""Masking texts that somebody else chose: what it costs, and what is left of long ones."""

from __future__ import annotations

import time

import pytest

from pipeline.logs import MAX_LOOKED_AT, MAX_TOLD, masked, masked_start

SECRET = "hunter2-xyz"  # noqa: S105  # what must not be seen


def took_s(text: str) -> float:
    """The best of three: others use this machine, too."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        masked(text)
        times.append(time.perf_counter() - began)
    return min(times)


@pytest.mark.parametrize(
    "unit", ["token", "token ", "token='", "token=bearer ", "a://", "a://b:", "a://b", "x"]
)
def test_the_time_grows_with_the_text_and_not_with_its_square(unit: str) -> None:
    """Eight times the text, eight times the time; the square would be 64."""
    short, long = unit * (8_000 // len(unit)), unit * (64_000 // len(unit))
    assert took_s(long) < 25 * took_s(short)


@pytest.mark.parametrize("secret", [f"password={SECRET}", f"rtsp://admin:{SECRET}@cam/live"])
def test_a_long_text_is_cut_and_shows_no_half_of_a_secret(secret: str) -> None:
    """Wherever the cut falls, also where what is before it shrinks to a few characters."""
    before = "token=" + "x" * (MAX_LOOKED_AT - 200) + " "
    assert masked_start("why " + secret).startswith("why ")
    for more in range(200):
        told = masked_start(before + "." * more + " " + secret + " and so on" * 1000)
        assert len(told) <= MAX_TOLD
        assert "hunt" not in told
