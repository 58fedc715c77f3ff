"""Which versions an operation may have been decided on, from the times of the others.

An operation that was over before another was sent comes before it. So a version that was shown to someone
sets a floor for all who ask later, and a version whose command was not yet sent is a ceiling for all who
were answered by then.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from math import inf

from tests.chaos.effects import Effect


class Floor:
    """The highest version known before a moment."""

    def __init__(self, known: Iterable[tuple[float, int]]) -> None:
        self._times: list[float] = []
        self._versions: list[int] = []
        for time, version in sorted(known):
            self.raise_to(time, version)

    def raise_to(self, time: float, version: int) -> None:
        """``version`` is known from ``time`` on; times must not decrease."""
        self._times.append(time)
        self._versions.append(max(version, self._versions[-1]) if self._versions else version)

    def before(self, time: float) -> int:
        """0 if nothing is known by then."""
        at = bisect_left(self._times, time)
        return self._versions[at - 1] if at else 0


class Ceiling:
    """The highest version that can exist at a moment: its command, and all before it, had been sent."""

    def __init__(self, effects: Sequence[Effect]) -> None:
        self._versions = [0]
        self._sent = [-inf]
        for effect in effects:
            self._versions.append(effect.last)
            self._sent.append(max(effect.invoked, self._sent[-1]))

    def at(self, time: float) -> int:
        """The version at ``time`` or less."""
        return self._versions[bisect_right(self._sent, time) - 1]
