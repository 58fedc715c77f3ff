"""Booking's region on a journal, as a worker puts it together, and questions to it."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from actors import manifest
from actors.journal.sqlite import SqliteJournal
from actors.messages import Answer, Ask, Shown
from actors.region import Region, open_region
from actors.settings import Settings
from actors.stage import Stage
from gateway.worker import settle_memory

PATIENCE = 60.0
AT_ONCE = 512
"""Questions under way at once."""


@contextlib.asynccontextmanager
async def opened(path: Path, settings: Settings | None = None) -> AsyncIterator[Region]:
    """The region of ``contexts.booking`` on the journal in ``path``; drained and closed at the end."""
    settings = settings or Settings()
    journal = await SqliteJournal.open(path, settings.shards, settings.commits)
    stage = Stage(mailbox=settings.stage.mailbox, turn_seconds=settings.stage.turn_seconds)
    try:
        context = manifest.load(["contexts.booking"])["booking"]
        region = await open_region(context, journal, stage, settings, "bench")
        settle_memory()
        try:
            yield region
            await region.drain(PATIENCE)
        finally:
            await region.close()
    finally:
        stage.shutdown_soon()
        await journal.close()
        gc.unfreeze()


async def show_one(region: Region, id: str) -> None:
    """Ask for the state of a space, which activates it; RuntimeError unless it is shown."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Answer] = loop.create_future()
    region.tell(Ask("space", id, None, region.clock() + PATIENCE, answered.set_result))
    answer = await answered
    if not isinstance(answer, Shown):
        raise RuntimeError(f"{id} was not shown: {answer}")


async def show_all(region: Region, ids: Iterable[str]) -> None:
    """All of them, ``AT_ONCE`` at a time."""
    shared = iter(ids)

    async def some() -> None:
        for id in shared:
            await show_one(region, id)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())
