"""The entity of the model: one slot, which one guest at a time may have."""

from typing import NamedTuple

READ = "?"
CANCEL = "C"


class Answer(NamedTuple):
    """What a client is told."""

    kind: str
    version: int = 0
    """Of the acceptance or of the state shown; a rejection names none."""

    def __str__(self) -> str:
        return self.kind if self.kind == "rejected" else f"{self.kind} {self.version}"


REJECTED = Answer("rejected")
EventLog = tuple[str, ...]
"""The commands that took effect, in order; each made one event. Its length is the version."""


def accepts(events: EventLog, command: str) -> bool:
    """``A``, ``B``, ... reserve the slot for this guest, ``C`` frees it."""
    taken = bool(events) and events[-1] != CANCEL
    return taken if command == CANCEL else not taken
