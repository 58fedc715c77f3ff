"""What a run was like for its clients: how long nobody was served, and how long one of them waited."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tests.chaos.effects import by_command
from tests.chaos.history import History, Operation
from tests.chaos.kills import outage


class Episode(NamedTuple):
    """A mishap from when it began until the next one did."""

    name: str
    began: float
    ended: float


class Figures(NamedTuple):
    """Seconds."""

    name: str
    silence: float
    """The longest time in which no client at all was served."""
    wait: float
    """The longest that a command waited for its answer, from its first request on."""


def figures(history: History, episodes: Sequence[Episode]) -> list[Figures]:
    """For each episode; a wait counts where it ended."""
    waits = list(_waits(history.operations))
    found = []
    for name, began, ended in episodes:
        wait = max((long for answered, long in waits if began <= answered < ended), default=0.0)
        found.append(Figures(name, outage(history, began, ended), wait))
    return found


def _waits(operations: Sequence[Operation]) -> list[tuple[float, float]]:
    """When a command was answered for good, and how long that took from its first request on."""
    found = []
    for tries in by_command(operations).values():
        answered = [t.done for t in tries if t.answer is not None and t.answer.status < 500]
        if answered:
            found.append((min(answered), min(answered) - tries[0].invoked))
    return found


def episodes(marks: Sequence[tuple[str, float]], end: float) -> list[Episode]:
    """From the moments at which each began."""
    return [
        Episode(name, began, following) for (name, began), (_, following) in pairwise([*marks, ("", end)])
    ]
