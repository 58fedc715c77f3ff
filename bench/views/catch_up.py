"""How fast one view catches up with a journal that is there, and is found in."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from actors.journal.port import Journal
from actors.journal.postgres import PostgresJournal
from actors.journal.sqlite import SqliteJournal
from actors.lease import Lease
from actors.manifest import read
from actors.region import Region, wall_clock
from actors.settings import Settings
from actors.stage import Stage
from actors.views.conditions import All, Compare
from actors.views.port import ViewStore, Wanted
from actors.views.postgres import PostgresViews
from actors.views.projections import Projections
from actors.views.sqlite import SqliteViews
from bench.cluster import Extent, Tell, backends
from bench.inside import history
from bench.views.viewed import with_diary

SPACES = 2_000
PATIENCE = 600.0
PAGE = 20
READS = 2_000

Opened = tuple[Journal, Callable[[], Awaitable[ViewStore]]]


class NotCaughtUp(Exception):
    """The views did not come to the end of the journal in time."""


async def caught_up(journal: Journal, store: ViewStore) -> tuple[Stage, Region, Projections, float]:
    """A region with projections of the diary, and how many seconds they took to fold all there is."""
    settings, stage = Settings(), Stage()
    region = Region(read(with_diary), journal, stage, settings, "bench", Lease(), wall_clock)
    projections = Projections(region, store, settings.views, asyncio.get_running_loop().time)
    await projections.open()
    heads = await journal.heads()
    began = time.perf_counter()
    await region.take(range(journal.shards))
    deadline = asyncio.get_running_loop().time() + PATIENCE
    if await projections.fresh(["diary"], heads, deadline) is not None:
        raise NotCaughtUp(f"the diary is not there after {PATIENCE:g} s")
    return stage, region, projections, time.perf_counter() - began


async def _measured(journal: Journal, open_store: Callable[[], Awaitable[ViewStore]], events: int) -> Any:
    """Fill the journal, fold it; events per second, and times of finding in what was folded."""
    versions = range(1, events // SPACES + 1)
    names = [f"space{number}" for number in range(SPACES)]
    count = await history.write(journal, history.events(names, versions))
    store = await open_store()
    stage, region, projections, seconds = await caught_up(journal, store)
    found = await _finding(store)
    await projections.close()
    await store.close()
    await region.close()
    stage.shutdown_soon()
    await journal.close()
    return count / seconds, found


async def _finding(store: ViewStore) -> list[float]:
    """Milliseconds of a page of a space's reservations from a moment on, one question at a time."""
    drawn = random.Random(7)
    times = []
    first = int(history.FIRST.timestamp() * 1e6)
    for _ in range(READS):
        where = All(
            (
                Compare("space", "==", f"space{drawn.randrange(SPACES)}"),
                Compare("start", ">=", first + drawn.randrange(100) * 3_600_000_000),
            )
        )
        began = time.perf_counter()
        await store.read([Wanted("diary", where=where, sort="start", limit=PAGE)])
        times.append((time.perf_counter() - began) * 1e3)
    return times


def sqlite(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """Events per second, and milliseconds of a find."""
    events = extent.count(20_000, 200_000, 1_000_000)
    tell(f"{events:,} events into a journal on SQLite")

    async def measure() -> Any:
        journal = await SqliteJournal.open(folder / "booking.sqlite", 64)
        return await _measured(journal, lambda: SqliteViews.open(folder / "booking.views.sqlite"), events)

    rate, found = uvloop.run(measure())
    tell(f"{rate:,.0f} events/s")
    return {"catch_up": [rate], "find": found}


def postgres(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """Events per second."""
    events = extent.count(20_000, 100_000, 400_000)
    tell(f"{events:,} events into a journal on PostgreSQL")
    with backends.postgres(folder) as backend:
        url = backend.database("butai")

        async def measure() -> Any:
            journal = await PostgresJournal.open(url, "booking", 64)
            return await _measured(journal, lambda: PostgresViews.open(url, "booking"), events)

        rate, _ = uvloop.run(measure())
    tell(f"{rate:,.0f} events/s")
    return {"catch_up_postgres": [rate]}
