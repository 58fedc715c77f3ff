"""The stage alone: what a message and an actor cost."""

import asyncio
import time
from pathlib import Path
from typing import Any

from thespian.actors import Actor

from actors.stage import Stage
from gateway.worker import settle_memory

REPEATS = 7
TURN = "turn"


class Replier(Actor):
    """Sends back what it gets."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        self.send(sender, message)


class Asker(Actor):
    """Tells the other one, waits for the reply, tells again; ``left`` times."""

    def __init__(self, replier: Any, left: int, done: "asyncio.Future[None]") -> None:
        self.replier = replier
        self.left = left
        self.done = done

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if message is not TURN:
            return
        if self.left:
            self.left -= 1
            self.send(self.replier, message)
        else:
            self.done.set_result(None)


class Idle(Actor):
    """Does nothing."""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        return


async def measure(folder: Path, quick: bool) -> dict[str, list[float]]:
    """Microseconds per round trip and per creation."""
    settle_memory()
    count = 20_000 if quick else 100_000
    round_trips = [await _round_trip(count) for _ in range(REPEATS)]
    creations = [_creation(count) for _ in range(REPEATS)]
    return {"round_trip": round_trips, "creation": creations}


async def _round_trip(count: int) -> float:
    stage = Stage()
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    replier = stage.spawn(Replier)
    asker = stage.spawn(lambda: Asker(replier, count, done))
    began = time.perf_counter()
    stage.offer(asker, TURN)
    async with asyncio.timeout(60):
        await done
    seconds = time.perf_counter() - began
    stage.shutdown_soon()
    return seconds / count * 1e6


def _creation(count: int) -> float:
    stage = Stage()
    began = time.perf_counter()
    addresses = [stage.spawn(Idle) for _ in range(count)]
    seconds = time.perf_counter() - began
    for address in addresses:
        stage.stop(address)
    stage.shutdown_soon()
    return seconds / count * 1e6
