"""What clients of a shard notice while it moves from one living worker to another."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from actors.control.operator import Survey
from actors.settings import Settings
from bench import served, spaces
from bench.cluster import Extent, Tell
from bench.cluster.client import FAILURES, Client
from bench.cluster.reserving import path, reservation, spaces_in
from bench.cluster.watching import CLUSTER, CONTEXT, owned_by, settled, watched
from gateway.operating import Cluster

CLIENTS = 20
LIMIT = 10.0
"""Seconds a client waits for an answer."""
QUIET = 0.3
"""Seconds before and after a move that count as around it."""
PERIOD = 0.1
"""Seconds between two looks at whether the shard has moved."""
PATIENCE = 10.0


class Refused(Exception):
    """A command to the shard failed, or the shard did not move; one line."""


class Asked(NamedTuple):
    """One command of a client; times on one clock, in seconds."""

    sent: float
    answered: float


class Commanding:
    """Clients that command one entity each, without pause."""

    def __init__(self, url: str, ids: Sequence[str]) -> None:
        self.asked: list[list[Asked]] = [[] for _ in ids]
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            self._loop.create_task(self._run(url, path(id), asked))
            for id, asked in zip(ids, self.asked, strict=True)
        ]

    async def stop(self) -> None:
        """End it. Raises Refused if a command was not accepted."""
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    def check(self) -> None:
        """Raises Refused if a command was not accepted."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def _run(self, url: str, target: str, asked: list[Asked]) -> None:
        client = Client(url)
        try:
            number = 0
            while True:
                sent = self._loop.time()
                try:
                    status = await client.post(target, reservation(number), LIMIT)
                except FAILURES as error:
                    raise Refused(f"a command failed while its shard moved: {error!r}") from error
                if status // 100 != 2:
                    raise Refused(f"a command was answered with {status} while its shard moved")
                asked.append(Asked(sent, self._loop.time()))
                number += 1
        finally:
            client.close()


def longest(asked: Sequence[Sequence[Asked]], begin: float, end: float) -> list[float]:
    """Per client the longest time, in ms, that a command took of those under way between the two moments."""
    return [
        max(one.answered - one.sent for one in of if one.answered >= begin and one.sent <= end) * 1e3
        for of in asked
    ]


def measure(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """Milliseconds per move and client, and the same around moments when nothing moves."""
    data = folder / "data"
    moves = extent.count(quick=4, usual=20, large=100)
    with served.butai(data, folder / "node.log", {"cluster": CLUSTER, "workers": 2}) as node:
        settings = Settings(cluster=CLUSTER, data=str(data))
        moving = plan(moves, settings.shards)
        spaces.post_all(node.url, [spaces.opening(id) for _, ids in moving for id in ids])
        tell(f"moving {moves} shards")
        return asyncio.run(_measure(node.url, settings, moving))


def plan(moves: int, shards: int) -> list[tuple[int, list[str]]]:
    """The shard and the entities of each move. A move costs more the larger the states are, and the more of
    the shard's events are not in an index yet; it must not cost more the later it comes. So each has another
    shard, for as long as there are some, and new entities."""
    rounds = -(-moves // shards)
    found = spaces_in(range(min(moves, shards)), shards, rounds * CLIENTS)
    return [
        (number % shards, found[number % shards][first : first + CLIENTS])
        for number in range(moves)
        for first in [number // shards * CLIENTS]
    ]


async def _measure(
    url: str, settings: Settings, moving: list[tuple[int, list[str]]]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"handover": [], "handover still": []}
    async with watched(settings) as operator:
        workers = [worker.worker for worker in (await settled(operator, 2)).workers]
        for shard, ids in moving:
            commanding = Commanding(url, ids)
            try:
                await asyncio.sleep(QUIET)
                found["handover still"] += await _around(commanding, asyncio.sleep(QUIET))
                owner = owner_of(await operator.survey(), shard)
                [other] = [worker for worker in workers if worker != owner]
                found["handover"] += await _around(commanding, _move(operator, shard, other, commanding))
            finally:
                await commanding.stop()
    return found


async def _around(commanding: Commanding, work: Coroutine[Any, Any, None]) -> list[float]:
    """The longest time per client from before this work until a moment after it."""
    began = asyncio.get_running_loop().time()
    await work
    await asyncio.sleep(QUIET)
    ended = asyncio.get_running_loop().time()
    await _all_answered(commanding, ended)
    return longest(commanding.asked, began, ended)


async def _move(operator: Cluster, shard: int, other: str, commanding: Commanding) -> None:
    await operator.pin(CONTEXT, shard, other)
    await _until_moved(operator, shard, other, commanding)


async def _until_moved(operator: Cluster, shard: int, other: str, commanding: Commanding) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while shard not in owned_by(await operator.survey(), other):
                commanding.check()
                await asyncio.sleep(PERIOD)
    except TimeoutError as error:
        raise Refused(f"the shard did not move within {PATIENCE:g} s") from error


async def _all_answered(commanding: Commanding, since: float) -> None:
    """Wait until every client has an answer to a command sent after this moment: none still waits."""
    async with asyncio.timeout(LIMIT):
        while not all(of and of[-1].sent >= since for of in commanding.asked):
            commanding.check()
            await asyncio.sleep(PERIOD)


def owner_of(survey: Survey, shard: int) -> str:
    """Whose the shard is. Raises Refused."""
    for worker in survey.workers:
        if shard in owned_by(survey, worker.worker):
            return worker.worker
    raise Refused("nobody has the shard")
