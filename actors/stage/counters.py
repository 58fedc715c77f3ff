"""The stage in numbers."""

from typing import NamedTuple


class Counters(NamedTuple):
    """What an operator watches."""

    actors: int
    """Actors that live now."""
    created: int
    messages: int
    """Messages handled so far."""
    pending: int
    """Messages waiting now."""
    wakeups: int
    """Wakeups waiting now."""
    dead_letters: int
    refused: int
    """Messages not taken by a full mailbox."""
    failures: int
    """Exceptions raised by handlers."""
