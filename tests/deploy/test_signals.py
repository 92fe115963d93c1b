"""What a command does with signals while it works."""

from __future__ import annotations

import os
import signal

import pytest

from deploy.signals import ENDING, on_signals


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_told_and_handlers_come_back(number: int) -> None:
    """Also where the command ends by an error."""
    before = [signal.getsignal(each) for each in ENDING]
    told: list[int] = []

    def command() -> None:
        with on_signals(told.append):
            os.kill(os.getpid(), number)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        command()
    assert told == [number]
    assert [signal.getsignal(each) for each in ENDING] == before
