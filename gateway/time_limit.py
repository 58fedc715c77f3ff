"""A limit on how long a block of ordinary code may run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TookTooLong(Exception):
    """The block did not end in time."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TookTooLong inside the block once it has computed for ``seconds``; waiting, and what other
    programs take of the machine, does not count.

    It is for code of others that may loop without end, in a command that has nothing else to do: it uses
    SIGVTALRM, so it works in the main thread only, and one at a time."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGVTALRM, interrupt)
    # Repeated, because what is raised while a finalizer runs is swallowed.
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
