"""Where a node keeps journal and views: SQLite in its folder, or a PostgreSQL server; and a look at both."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from actors.journal.port import Journal, Row
from actors.journal.postgres import PostgresJournal
from actors.journal.sqlite import SqliteJournal
from actors.manifest import ContextManifest
from actors.views.port import ViewStore
from actors.views.postgres import PostgresViews
from actors.views.sqlite import SqliteViews
from tests.chaos.cluster.place import Place
from tests.chaos.cluster.servers import Postgres
from tests.chaos.views.replay import contents, differences, positions, replayed

CONTEXT = "booking"
PAGE = 1_000
LOOK_SECONDS = 0.05


class Backing(NamedTuple):
    """``settings`` are a node's, ``key=value``."""

    settings: tuple[str, ...]
    journal: Callable[[], Awaitable[Journal]]
    views: Callable[[], Awaitable[ViewStore]]

    @property
    def words(self) -> list[str]:
        """The settings as the command line has them."""
        return [word for setting in self.settings for word in ("--set", setting)]


def sqlite(folder: Path) -> Backing:
    """Of a node that runs in ``folder``."""
    journal, views = (folder / "data" / f"{CONTEXT}{ending}" for ending in (".sqlite", ".views.sqlite"))
    return Backing((), lambda: SqliteJournal.open(journal), lambda: SqliteViews.open(views))


def postgres(url: str) -> Backing:
    """Of all nodes that use this server."""
    return Backing(
        (f"journal={url}",),
        lambda: PostgresJournal.open(url, CONTEXT),
        lambda: PostgresViews.open(url, CONTEXT),
    )


@asynccontextmanager
async def served(kind: str, folder: Path) -> AsyncIterator[Backing]:
    """``sqlite``, or ``postgres`` on a server of its own."""
    if kind == "sqlite":
        yield sqlite(folder)
        return
    server = await asyncio.to_thread(Postgres, folder, Place())
    try:
        await server.start()
        yield postgres(server.url)
    finally:
        await asyncio.to_thread(server.remove)


async def caught_up(backing: Backing, context: ContextManifest, seconds: float) -> float:
    """Wait until every view has folded all that the journal holds; how long that took. Nobody may write
    meanwhile, but holds may expire."""
    journal, views = await backing.journal(), await backing.views()
    began = time.monotonic()
    try:
        while True:
            heads = await journal.heads()
            reached = await positions(views, context)
            if all(dict(of_one) == heads for of_one in reached.values()):
                return time.monotonic() - began
            assert time.monotonic() < began + seconds, f"views are at {reached}, the journal at {heads}"
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await views.close()
        await journal.close()


async def stored(backing: Backing) -> list[Row]:
    """The whole journal, by shard and sequence."""
    journal = await backing.journal()
    try:
        rows: list[Row] = []
        for shard in range(journal.shards):
            after = 0
            while page := await journal.feed(shard, after, PAGE):
                rows += page
                after = page[-1].seq
        return rows
    finally:
        await journal.close()


async def assert_a_replay(backing: Backing, context: ContextManifest) -> tuple[int, int]:
    """Whether the views, which nobody changes now, are what a fresh replay up to their positions comes to;
    how many events that were, and how many documents."""
    rows = await stored(backing)
    views = await backing.views()
    try:
        upto = await positions(views, context)
        found = await contents(views, context)
    finally:
        await views.close()
    wrong = differences(found, await replayed(context, rows, upto))
    assert not wrong, "\n".join(wrong)
    return len(rows), sum(len(of_one) for of_one in found.values())
