"""A block that computes without end is ended."""

import signal
from collections.abc import Callable
from contextlib import suppress

import pytest

from gateway.time_limit import TookTooLong, time_limit


def compute_for_ever() -> None:
    while True:
        pass


def swallow_one_interruption() -> None:
    with suppress(TookTooLong):
        compute_for_ever()
    compute_for_ever()


@pytest.mark.parametrize("block", [compute_for_ever, swallow_one_interruption])
def test_a_block_that_never_ends_is_ended(block: Callable[[], None]) -> None:
    with pytest.raises(TookTooLong), time_limit(0.02):
        block()


def test_what_was_set_before_is_set_again() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with time_limit(10):
        pass
    assert signal.getsignal(signal.SIGVTALRM) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
