"""Two servers under the same load, in turns: each slice of one stands between two slices of the other."""

from collections.abc import Callable, Sequence

import msgspec

from bench import wrk
from bench.cluster import Tell

WARM_UP = 2.0


class Side(msgspec.Struct, frozen=True):
    """One of the two. ``cpu`` tells the CPU seconds used so far by all processes that count."""

    name: str
    url: str
    cpu: Callable[[], float]


class Turn(msgspec.Struct, frozen=True):
    """One slice and its costs."""

    slice: wrk.Slice
    cpu: float
    """CPU seconds per answer."""


class Turns:
    """The slices of both sides, in order."""

    def __init__(self, load: wrk.Load, base: Side, other: Side, tell: Tell) -> None:
        self.base: list[Turn] = []
        self.other: list[Turn] = []
        self.slices: dict[str, list[wrk.Slice]] = {base.name: [], other.name: []}
        """Everything that ever reached each side, warm-ups included."""
        self._load = load
        self._sides = (base, other)
        self._next = {base.name: 0, other.name: 0}
        self._tell = tell

    def run(self, rounds: int, seconds: float) -> None:
        """Warm both up, then base, other, base, ..., base. Raises wrk.LoadFailed, ProcessGone."""
        base, other = self._sides
        for side in self._sides:
            self._turn(side, WARM_UP)
        self.base.append(self._turn(base, seconds))
        for number in range(1, rounds + 1):
            self.other.append(self._turn(other, seconds))
            self.base.append(self._turn(base, seconds))
            told = [
                f"{side.name} {turn.slice.rate:,.0f}/s at {turn.cpu * 1e6:.0f} us"
                for side, turn in ((other, self.other[-1]), (base, self.base[-1]))
            ]
            self._tell(f"round {number}: {', '.join(told)}")

    def rates(self) -> list[float]:
        """Answers per second of the other side, to those of the base around it."""
        return ratios([turn.slice.rate for turn in self.base], [turn.slice.rate for turn in self.other])

    def cpus(self) -> list[float]:
        """CPU time per answer, likewise."""
        return ratios([turn.cpu for turn in self.base], [turn.cpu for turn in self.other])

    def _turn(self, side: Side, seconds: float) -> Turn:
        before = side.cpu()
        seen = wrk.run(side.url, self._load, seconds, self._next[side.name])
        used = side.cpu() - before
        self._next[side.name] = seen.next
        self.slices[side.name].append(seen)
        return Turn(seen, used / seen.requests)


def ratios(base: Sequence[float], other: Sequence[float]) -> list[float]:
    """Each of ``other`` to the mean of its two neighbours in ``base``, which has one more."""
    return [each * 2 / (before + after) for each, before, after in zip(other, base, base[1:], strict=False)]
