"""Killing what serves, at random moments of a load, and measuring how long nobody is served."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from pathlib import Path

from tests.chaos.history import History
from tests.chaos.load import Load

Kill = Callable[[], Awaitable[None]]
"""Kills something, and returns once that is done."""


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has started and that live."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def kill_worker(node: int) -> None:
    """SIGKILL the one worker of a node; waits for a worker if there is none at the moment."""
    async with asyncio.timeout(10):
        while not (workers := children(node)):
            await asyncio.sleep(0.005)
    (worker,) = workers
    os.kill(worker, signal.SIGKILL)


def moments(seed: int, commands: int, kills: int) -> list[int]:
    """How many commands have been begun at each kill: at random, but one in each equal part of the load."""
    rng = random.Random(f"{seed}/kills")
    parts = [round((commands * 0.9) * number / kills) for number in range(kills + 1)]
    return [rng.randrange(begin + 1, end + 1) for begin, end in pairwise(parts)]


async def kill_during(load: Load, at: Sequence[int], kill: Kill) -> list[float]:
    """Kill each time the load has begun that many commands and someone is served again; the moments."""
    times: list[float] = []
    for commands in at:
        while load.sent < commands or (times and recovery(load.history, times[-1]) is None):
            await asyncio.sleep(0.002)
        times.append(load.history.now())
        await kill()
    return times


def recovery(history: History, killed: float) -> float | None:
    """Seconds from a kill to the first acceptance of a request that was sent after it; None if there is
    none yet."""
    served = [
        operation.completed - killed
        for operation in history.since(killed)
        if operation.completed is not None
        and operation.answer is not None
        and operation.answer.status in (200, 201)
    ]
    return min(served, default=None)
