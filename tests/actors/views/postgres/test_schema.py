"""A context's schema is made once, beside the journal's, and not by a program that is too old."""

import asyncio

import pytest

from actors.journal.postgres import PostgresJournal
from actors.views.port import Done, ViewsDamaged, ViewsUnavailable, Wanted
from actors.views.postgres import PostgresViews
from tests.actors.journal.postgres.server import Server
from tests.actors.journal.postgres.waiting import connected
from tests.actors.views.documents import CARDS, LATER_CARDS, Card, Count, Put, work


async def tables(server: Server, context: str) -> list[str]:
    """Of the generations that have one."""
    async with connected(server, f"{context}.views") as direct:
        found = await direct.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename ~ '^g[0-9]' ORDER BY 1",
            f"{context}.views",
        )
    return [name for [name] in found]


async def test_workers_that_start_at_once_make_one_generation(server: Server, context: str) -> None:
    async def started() -> PostgresViews:
        store = await PostgresViews.open(server.url(), context)
        await store.prepare([CARDS.shape])
        return store

    stores = await asyncio.gather(*(started() for _ in range(6)))
    assert [len(await store.generations()) for store in stores] == [1] * 6
    await asyncio.gather(*(store.close() for store in stores))


async def test_views_and_the_journal_do_not_touch_each_other(server: Server, context: str) -> None:
    journal = await PostgresJournal.open(server.url(), context, 4)
    store = await PostgresViews.open(server.url(), context)
    async with connected(server, context) as direct:
        found = await direct.fetch(
            "SELECT schemaname, version FROM pg_tables, LATERAL (SELECT 1 AS version) AS one "
            "WHERE tablename = 'migrations' AND schemaname LIKE $1 || '%' ORDER BY 1",
            context,
        )
    assert [name for name, _ in found] == [context, f"{context}.views"]
    await store.close()
    await journal.close()


async def test_a_schema_of_a_later_program_is_refused(server: Server, context: str) -> None:
    await (await PostgresViews.open(server.url(), context)).close()
    async with connected(server, f"{context}.views") as direct:
        await direct.execute("INSERT INTO migrations VALUES (9999, '9999_later.sql')")
    with pytest.raises(ViewsDamaged, match="schema version 9999, this program knows up to 1: use a newer"):
        await PostgresViews.open(server.url(), context)


async def test_a_role_without_other_rights_than_to_make_a_schema_is_enough(
    server: Server, context: str
) -> None:
    role = f"{context}-role"
    async with connected(server, context) as direct:
        await direct.execute(f'CREATE ROLE "{role}" LOGIN; GRANT CREATE ON DATABASE postgres TO "{role}"')
    store = await PostgresViews.open(server.url(role), context)
    await store.prepare([CARDS.shape])
    assert await store.project([work(Put(["a"], Card(title="会議室")))]) == [Done(1)]
    wanted = Wanted("cards", search="議", fields=("title",))
    assert [one.key for one in (await store.read([wanted])).pages[0].found] == ["a"]
    await store.close()


async def test_a_table_is_dropped_with_its_generation_or_as_soon_as_nobody_reads_it(
    server: Server, context: str
) -> None:
    store = await PostgresViews.open(server.url(), context)
    await store.prepare([CARDS.shape])
    await store.project([work(Count(["a"]), complete=True)])
    number = (await store.rebuild(LATER_CARDS.shape)).number
    await store.project([work(Count(["a"]), complete=True, generation=number, of=LATER_CARDS)])
    async with connected(server, f"{context}.views") as reader, reader.transaction():
        await reader.fetch("SELECT FROM g1")
        assert await store.switch(number, 1)
        assert await tables(server, context) == ["g1", "g2"]
        assert (await store.read([Wanted("cards")])).standings["cards"].generation == number
    await store.prepare([LATER_CARDS.shape])
    assert await tables(server, context) == ["g2"]
    await store.close()


async def test_what_is_no_shape_is_damage(server: Server, context: str) -> None:
    store = await PostgresViews.open(server.url(), context)
    await store.prepare([CARDS.shape])
    async with connected(server, f"{context}.views") as direct:
        await direct.execute("UPDATE generations SET shape = '{'")
    with pytest.raises(ViewsDamaged):
        await store.generations()
    await store.close()


async def test_no_server_is_unavailable(context: str) -> None:
    with pytest.raises(ViewsUnavailable):
        await PostgresViews.open("postgresql://nobody@127.0.0.1:1/postgres?sslmode=disable", context)
