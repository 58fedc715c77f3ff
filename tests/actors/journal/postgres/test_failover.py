"""Case 10: the standby takes over, the old primary stays up read-only, and nobody restarts a worker."""

import asyncio
from collections.abc import Iterator

import pytest

from actors.journal.port import JournalUnavailable, OutcomeUnknown, Row
from actors.journal.postgres import PostgresJournal
from tests.actors.journal.conformance import SHARDS, replayed, row
from tests.actors.journal.postgres.proxy import proxied
from tests.actors.journal.postgres.server import Server
from tests.actors.journal.postgres.waiting import connected, until


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """A primary that acknowledges what its standby has, and that standby."""
    primary = Server.make()
    standby = primary.twin()
    primary.settings["synchronous_standby_names"] = "twin"
    try:
        primary.start()
        standby.start()
        yield primary, standby
    finally:
        standby.remove()
        primary.remove()


@pytest.mark.parametrize("how", ["one address that moves", "two addresses"])
async def test_after_a_failover_the_journal_goes_on_at_the_new_primary_by_itself(
    pair: tuple[Server, Server], context: str, how: str
) -> None:
    primary, standby = pair
    async with proxied(primary.port) as proxy:
        url = proxy.url()
        if how == "two addresses":
            url = url.replace("@127.0.0.1:", f"@127.0.0.1:{standby.port},127.0.0.1:")
        journal = await PostgresJournal.open(url, context, SHARDS)
        acknowledged = [await written(journal, 1), await written(journal, 2)]
        identity = journal.identity

        await become_read_only(primary)
        with pytest.raises(JournalUnavailable):
            await written(journal, 3)
        await promote(standby)
        proxy.target = standby.port

        acknowledged += [await written(journal, 3), await written(journal, 4)]
        assert await journal.feed(1, 0, 10) == acknowledged
        assert await replayed(journal, "x") == (None, acknowledged)
        async with connected(standby, context) as direct:
            assert await direct.fetchval("SELECT count(*) FROM events") == 4
        await journal.close()
        journal = await PostgresJournal.open(url, context, SHARDS)
        assert journal.identity == identity
        await journal.close()


async def written(journal: PostgresJournal, seq: int) -> Row:
    """A claim and an append, as a worker does them when it is not sure."""
    [claim] = await journal.claim([1], "a")
    assert claim.last_seq == seq - 1
    made = row(1, seq, "x", seq)
    assert await journal.append([made], {1: claim.epoch}) == frozenset()
    return made


async def become_read_only(server: Server) -> None:
    """It stays up and answers reads, and its sessions are told."""
    async with connected(server, "public") as direct:
        await direct.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await direct.execute("SELECT pg_reload_conf()")

        async def told() -> bool:
            return bool(await direct.fetchval("SELECT current_setting('transaction_read_only') = 'on'"))

        await until(told)


async def promote(server: Server) -> None:
    async with connected(server, "public") as direct:
        assert await direct.fetchval("SELECT pg_promote(true, 20)")


async def test_an_append_that_waits_for_its_standby_is_not_acknowledged_and_lands_once(
    pair: tuple[Server, Server], context: str
) -> None:
    primary, standby = pair
    journal = await PostgresJournal.open(primary.url(), context, SHARDS)
    [claim] = await journal.claim([1], "a")
    first = row(1, 1, "x", 1)
    await journal.append([first], {1: claim.epoch})
    standby.stop()
    second = row(1, 2, "x", 2)
    append = asyncio.ensure_future(journal.append([second], {1: claim.epoch}))
    async with connected(primary, context) as direct:

        async def waits() -> bool:
            return bool(
                await direct.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')"
                )
            )

        await until(waits)
        await direct.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        )
    with pytest.raises(OutcomeUnknown):
        await append
    standby.start()
    [again] = await journal.claim([1], "a")
    assert again.last_seq == 2
    assert await journal.feed(1, 0, 10) == [first, second]
    await journal.close()
