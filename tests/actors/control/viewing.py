"""A worker's views in one process: a region and projections, with a journal and a store in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from actors.journal.memory import MemoryJournal
from actors.messages import Answer, Ask
from actors.region import Region, open_region, shard_of
from actors.settings import Settings
from actors.stage import Stage
from actors.views.memory import MemoryViews
from actors.views.projections import Projections
from tests.actors.views import guestbook

PATIENCE = 10.0
"""Seconds after which a test gives up."""


async def until(condition: Callable[[], object]) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


class Viewing:
    """The guestbook, whose views ``pages`` and ``sums`` fail or follow as ``guestbook`` says."""

    def __init__(self, region: Region, projections: Projections) -> None:
        self.region = region
        self.projections = projections

    async def write(self, id: str, line: str) -> None:
        """Have a book written into, and wait for the answer."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        deadline = asyncio.get_running_loop().time() + PATIENCE
        command = guestbook.Write(line)
        self.region.tell(
            Ask(aggregate="book", id=id, command=command, deadline=deadline, reply=future.set_result)
        )
        await asyncio.wait_for(future, PATIENCE)

    def shard(self, id: str) -> int:
        return shard_of("book", id, self.region.journal.shards)

    async def folded(self) -> None:
        """Wait until all that is not parked or paused is folded."""
        await until(
            lambda: all(
                p.idle or p.seq == self.region.shards[p.shard].committed
                for p in self.projections.projectors.values()
            )
        )


@asynccontextmanager
async def viewing(attempts: int = 1) -> AsyncIterator[Viewing]:
    """Whatever fails is parked after so many attempts."""
    settings = msgspec.convert({"views": {"attempts": attempts, "backoff": 0.001}}, Settings)
    stage = Stage()
    region = await open_region(guestbook.manifest(), MemoryJournal(4), stage, settings, "tester")
    clock = asyncio.get_running_loop().time
    projections = Projections(region, MemoryViews(), settings.views, clock)
    await projections.open()
    try:
        yield Viewing(region, projections)
    finally:
        await projections.close()
        await region.drain(1.0)
        await region.close()
        stage.shutdown()
