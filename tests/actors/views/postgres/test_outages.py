"""What the store says when its server or the line to it fails, and that it goes on by itself afterwards."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from actors.settings import JournalSettings
from actors.views.port import Done, Place, ViewsUnavailable, Wanted
from actors.views.postgres import PostgresViews, writing
from tests.actors.journal.postgres.proxy import Proxy, proxied
from tests.actors.journal.postgres.server import Server
from tests.actors.journal.postgres.waiting import connected, until
from tests.actors.views.documents import CARDS, Count, work
from tests.actors.views.postgres.history import history, is_a_replay, piece

LENGTH = 600
KILLS = 15
A = Wanted("cards", keys=("a",))


@pytest.fixture
async def store(server: Server, context: str) -> AsyncIterator[PostgresViews]:
    made = await PostgresViews.open(server.url(), context)
    await made.prepare([CARDS.shape])
    yield made
    await made.close()


async def fold_all(store: PostgresViews, events: list[Any]) -> int:
    """As a projector does: what failed is folded from the stored position. How often that was."""
    seq = failed = 0
    async with asyncio.timeout(30):
        while seq < len(events):
            try:
                [done] = await store.project([piece(events, 1, seq, 3)])
                seq = done.seq
            except ViewsUnavailable:
                failed += 1
                with suppress(ViewsUnavailable):
                    seq = (await store.places()).get(1, {}).get(1, Place(0)).seq
    return failed


async def test_a_store_whose_connections_are_killed_again_and_again_catches_up_without_new_events(
    server: Server, context: str, store: PostgresViews
) -> None:
    """Case 16: only its own connections die, in the middle of writes."""
    events = history(16, 1, LENGTH)
    folding = asyncio.ensure_future(fold_all(store, events))
    reached = 0
    async with connected(server, context) as direct:
        for kill in range(KILLS):

            async def further(beyond: int = kill * 20) -> bool:
                nonlocal reached
                places = await direct.fetchval(f'SELECT max(seq) FROM "{context}.views".positions')
                reached = places or 0
                return reached > beyond

            await until(further)
            await direct.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
                f"butai {context} views",
            )
    assert reached < LENGTH
    assert await folding > 0
    assert await is_a_replay(store, {1: events}) == {1: LENGTH}


async def test_a_restart_of_the_server_costs_what_is_under_way_and_nothing_else(
    server: Server, store: PostgresViews
) -> None:
    assert await store.project([work(Count(["a"]))]) == [Done(1)]
    before = (await store.read([A])).pages
    server.stop(signal.SIGINT)
    try:
        with pytest.raises(ViewsUnavailable):
            await store.project([work(Count(["a"]), after=1)])
        with pytest.raises(ViewsUnavailable):
            await store.read([A])
        assert store.dead == ""
    finally:
        server.start()
    assert (await store.read([A])).pages == before
    assert await store.project([work(Count(["a"]), after=1)]) == [Done(2)]


async def test_a_server_that_takes_no_writes_folds_nothing_and_is_used_again_when_it_does(
    server: Server, context: str, store: PostgresViews
) -> None:
    assert await store.project([work(Count(["a"]))]) == [Done(1)]
    async with connected(server, context) as direct:
        await direct.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await direct.execute("SELECT pg_reload_conf()")

        async def refused() -> bool:
            try:
                [done] = await store.project([work(Count(["a"]), after=1)])
            except ViewsUnavailable:
                return True
            return done.seq < 2

        try:
            await until(refused)
            positions = await direct.fetchval(f'SELECT seq FROM "{context}.views".positions')
        finally:
            await direct.execute("SET default_transaction_read_only = off")
            await direct.execute("ALTER SYSTEM RESET default_transaction_read_only")
            await direct.execute("SELECT pg_reload_conf()")

    async def folded() -> bool:
        with suppress(ViewsUnavailable):
            [done] = await store.project([work(Count(["a"]), after=positions)])
            return done.seq > int(positions)
        return False

    await until(folded)
    assert b'"folds":%d' % (positions + 1) in (await store.read([A])).pages[0].found[0].document  # type: ignore[operator]


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with proxied(server.port) as made:
        yield made


async def test_a_line_cut_between_commit_and_answer_is_settled_by_the_position(
    server: Server, context: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await PostgresViews.open(proxy.url(), context, JournalSettings(lock_seconds=20.0))
    await store.prepare([CARDS.shape])
    await store.project([work(Count(["a"]))])
    statement = writing.statement

    def then_hold(generations: tuple[tuple[int, int, int], ...]) -> str:
        proxy.answers.hold()
        return statement(generations)

    monkeypatch.setattr(writing, "statement", then_hold)
    project = asyncio.ensure_future(store.project([work(Count(["a"]), after=1)]))
    await proxy.answers.held.wait()
    async with connected(server, f"{context}.views") as direct:
        assert await direct.fetchval("SELECT seq FROM positions") == 2
    proxy.cut()
    with pytest.raises(ViewsUnavailable):
        await project
    monkeypatch.undo()
    proxy.answers.release()
    assert await store.places() == {1: {0: Place(2)}}
    assert await store.project([work(Count(["a"]), after=1)]) == [Done(2, moved=True)]
    await store.close()


async def test_nobody_waits_for_a_lock_for_longer_than_allowed(server: Server, context: str) -> None:
    store = await PostgresViews.open(server.url(), context, JournalSettings(lock_seconds=0.3))
    await store.prepare([CARDS.shape])
    async with connected(server, f"{context}.views") as direct, direct.transaction():
        await direct.execute("LOCK TABLE g1 IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(10):
            with pytest.raises(ViewsUnavailable):
                await store.project([work(Count(["a"]))])
            with pytest.raises(ViewsUnavailable):
                await store.read([A])
            with pytest.raises(ViewsUnavailable):
                await store.read([Wanted("cards")])
    assert await store.project([work(Count(["a"]))]) == [Done(1)]
    await store.close()


async def test_a_closed_store_is_dead_and_says_so(server: Server, context: str) -> None:
    store = await PostgresViews.open(server.url(), context)
    await store.close()
    assert store.dead != ""
    with pytest.raises(ViewsUnavailable):
        await store.read([A])
