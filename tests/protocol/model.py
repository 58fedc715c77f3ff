"""Every step that the protocol, or a failure, can take from a state.

What is left out because it can show no further fault: an answer arrives when it leaves (a later arrival only
allows more orders), an operation is asked when it is first decided (an earlier asking likewise), and a
stopped process is one that takes no step (any worker may take none for any time; what its stop changes for
others is its heartbeat, which falls silent).
"""

from collections.abc import Callable, Iterator

from tests.protocol.committing import appends, hears, lands, never_hears, settles, stray_lands
from tests.protocol.deciding import decides
from tests.protocol.failing import crashes, falls_silent, time_passes
from tests.protocol.owning import claims, hears_of_a_claim, leaves, looks, releases, wants
from tests.protocol.step import Case, Step
from tests.protocol.world import Ask, Phase, World

Action = Callable[[Case, World, int], Iterator[Step]]

_COMMITTING: list[Action] = [appends, lands, hears, never_hears]
_FAILING: list[Action] = [crashes, falls_silent, time_passes]

_BY_PHASE: dict[Phase, list[Action]] = {
    Phase.AWAY: [wants],
    Phase.CLAIMING: [claims, crashes],
    Phase.CLAIMED: [looks, crashes],
    Phase.OPEN: [decides, *_COMMITTING, leaves, hears_of_a_claim, *_FAILING],
    Phase.LEAVING: [*_COMMITTING, releases, *_FAILING],
    Phase.SETTLING: [settles, *_FAILING],
}


def steps(case: Case, world: World) -> Iterator[Step]:
    """All of them; none once a fault is found."""
    if world.fault or _over(world):
        return
    for number in (0, 1):
        for action in _BY_PHASE[world.workers[number].phase]:
            yield from action(case, world, number)
    yield from stray_lands(case, world)


def _over(world: World) -> bool:
    """Nothing can be answered or appended any more."""
    done = all(ask in (Ask.ANSWERED, Ask.LOST) for ask in world.asks)
    return done and not world.strays and all(w.committed == len(w.events) for w in world.workers)
