"""Killing what serves, at random moments of a load, and measuring how long nobody is served."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

from tests.chaos.history import History, Operation
from tests.chaos.load import Load
from tests.chaos.outcomes import Said, outcome
from tests.gateway.running import Running

Strike = Callable[[], None]
"""Kills something, at once."""
Aftermath = Callable[[], Awaitable[None]]
"""What whoever supervises the victim does next."""


def kill_worker(node: Running) -> None:
    """SIGKILL the one worker of a node that serves."""
    os.kill(node.worker(), signal.SIGKILL)


def moments(seed: int, commands: int, kills: int) -> list[int]:
    """How many commands have been begun at each kill: at random, but one in each equal part of the load."""
    rng = random.Random(f"{seed}/kills")
    parts = [round((commands * 0.9) * number / kills) for number in range(kills + 1)]
    return [rng.randrange(begin + 1, end + 1) for begin, end in pairwise(parts)]


async def kill_during(
    load: Load, at: Sequence[int], strike: Strike, aftermath: Aftermath | None = None
) -> list[float]:
    """Strike each time the load has begun that many commands and someone is served again; the moments.

    Each strike comes on the heels of an acceptance: what was acknowledged too early is lost by it."""
    times: list[float] = []
    for commands in at:
        times.append(await _strike_at_an_acceptance(load, commands, strike))
        if aftermath is not None:
            await aftermath()
        while recovery(load.history, times[-1]) is None:
            await asyncio.sleep(0.01)
    return times


async def _strike_at_an_acceptance(load: Load, commands: int, strike: Strike) -> float:
    struck: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def heard(operation: Operation) -> None:
        if load.sent >= commands and not struck.done() and outcome(operation).said is Said.ACCEPTED:
            struck.set_result(load.history.now())
            strike()

    load.history.heard = heard
    moment = await struck
    load.history.heard = None
    return moment


def recovery(history: History, killed: float) -> float | None:
    """Seconds from a kill to the first acceptance of a request that was sent after it; None if there is
    none yet."""
    served = [o.done - killed for o in history.since(killed) if _accepted(o)]
    return min(served, default=None)


def outage(history: History, killed: float, until: float) -> float:
    """Seconds of the longest silence from a kill to ``until``: no client was given a 2xx in it."""
    served = sorted(o.done for o in history.operations if _accepted(o) and killed < o.done < until)
    return max(later - earlier for earlier, later in pairwise([killed, *served, until]))


def _accepted(operation: Operation) -> bool:
    return operation.answer is not None and operation.answer.status in (200, 201)
