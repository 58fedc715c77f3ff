"""Breadth first through all states, so that the first fault found has the shortest way to it."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from tests.protocol.model import steps
from tests.protocol.step import Case, Step
from tests.protocol.world import World, canonical, first_world


class Found(NamedTuple):
    """What a search came to."""

    states: int
    steps: Counter[str]
    """How often each kind of step was taken."""
    fault: str
    """Empty when there is none."""
    trace: Sequence[Step]
    """The way to the fault."""

    @property
    def invariant(self) -> str:
        """The name of the broken one."""
        return self.fault.partition(":")[0]

    def told(self) -> str:
        """The fault and the way to it, a line for each step."""
        lines = [self.fault or f"no fault in {self.states:,} states"]
        names = ("worker 1", "worker 2", "journal")
        for number, (what, worker, about, _) in enumerate(self.trace, 1):
            lines.append(f"{number:4}. {names[worker]}: {what}" + (f": {about}" if about else ""))
        return "\n".join(lines)


def search(case: Case) -> Found:
    """Every state that can be reached, or those up to the first fault."""
    fenced = case.rules.epoch_in_append
    first = canonical(first_world(len(case.commands), case.bounds), fenced)
    came_from: dict[World, World | None] = {first: None}
    taken: Counter[str] = Counter()
    waiting = deque([first])
    while waiting:
        world = waiting.popleft()
        for step in steps(case, world):
            taken[step.what] += 1
            after = canonical(step.world, fenced)
            if after in came_from:
                continue
            came_from[after] = world
            if after.fault:
                return Found(len(came_from), taken, step.world.fault, _trace(case, came_from, after))
            waiting.append(after)
    return Found(len(came_from), taken, "", ())


def _trace(case: Case, came_from: dict[World, World | None], end: World) -> list[Step]:
    """The way to ``end``, walked again with workers and epochs under their own names."""
    fenced = case.rules.epoch_in_append
    way = [end]
    while (before := came_from[way[-1]]) is not None:
        way.append(before)
    world = first_world(len(case.commands), case.bounds)
    trace: list[Step] = []
    for wanted in reversed(way[:-1]):
        step = next(s for s in steps(case, world) if _same(canonical(s.world, fenced), wanted))
        trace.append(step)
        world = step.world
    return trace


def _same(one: World, other: World) -> bool:
    """Alike; a fault's text may name epochs, which differ."""
    return one._replace(fault=one.fault[:2]) == other._replace(fault=other.fault[:2])
