"""Appends and claims meet at the shard's row: one waits for the other, and the epoch decides."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.journal.port import Corrupted, JournalUnavailable
from actors.journal.postgres import PostgresJournal
from actors.settings import JournalSettings
from tests.actors.journal.conformance import SHARDS, row, snapshot
from tests.actors.journal.postgres.server import Server
from tests.actors.journal.postgres.waiting import connected, someone_waits_for_a_lock, until

ROUNDS = 1_000


@pytest.fixture
async def journal(server: Server, context: str) -> AsyncIterator[PostgresJournal]:
    made = await PostgresJournal.open(server.url(), context, SHARDS)
    yield made
    await made.close()


@pytest.fixture
async def other(server: Server, context: str, journal: PostgresJournal) -> AsyncIterator[PostgresJournal]:
    made = await PostgresJournal.open(server.url(), context, SHARDS)
    yield made
    await made.close()


async def test_a_claim_waits_for_an_append_in_flight_and_sees_what_it_wrote(
    server: Server, context: str, journal: PostgresJournal
) -> None:
    await journal.claim([1], "a")
    async with connected(server, context) as append:
        transaction = append.transaction()
        await transaction.start()
        await append.execute("SELECT FROM shards WHERE shard = 1 FOR NO KEY UPDATE")
        await append.execute(
            "INSERT INTO events VALUES (1, 1, 'space', 'x', 1, 'Reserved', '', NULL, 1, 'ada', NULL, '')"
        )
        claim = asyncio.ensure_future(journal.claim([0, 1, 2], "b"))
        await until(lambda: someone_waits_for_a_lock(append, context))
        await transaction.commit()
    assert [(one.shard, one.epoch, one.last_seq) for one in await claim] == [(0, 1, 0), (1, 2, 1), (2, 1, 0)]


async def test_an_append_that_waited_for_a_claim_is_fenced(
    server: Server, context: str, journal: PostgresJournal
) -> None:
    one, two = await journal.claim([1, 2], "a")
    async with connected(server, context) as claim:
        transaction = claim.transaction()
        await transaction.start()
        await claim.execute("UPDATE shards SET epoch = epoch + 1 WHERE shard = 1")
        append = asyncio.ensure_future(
            journal.append([row(1, 1, "x", 1), row(2, 1, "y", 1)], {2: two.epoch, 1: one.epoch})
        )
        await until(lambda: someone_waits_for_a_lock(claim, context))
        await transaction.commit()
    assert await append == {1}
    assert await journal.feed(1, 0, 10) == []
    assert len(await journal.feed(2, 0, 10)) == 1


async def test_of_two_claims_that_follow_the_same_epoch_at_once_one_gets_each_shard(
    journal: PostgresJournal, other: PostgresJournal
) -> None:
    numbers = list(range(SHARDS))
    after = dict.fromkeys(numbers, 0)
    for _ in range(50):
        found = await asyncio.gather(
            journal.claim(numbers, "a", after), other.claim(numbers[::-1], "b", after)
        )
        claimed = {claim.shard: claim.epoch for claims in found for claim in claims}
        assert sorted(claim.shard for claims in found for claim in claims) == numbers
        assert claimed == {shard: epoch + 1 for shard, epoch in after.items()}
        after = claimed


async def test_two_simultaneous_conflicting_appends_succeed_as_often_as_events_are_stored(
    journal: PostgresJournal, other: PostgresJournal
) -> None:
    """The same sequence and version under the same epoch, by two journals at once, a thousand times."""
    [claim] = await journal.claim([1], "a")
    epochs = {1: claim.epoch}
    for n in range(1, ROUNDS + 1):
        mine, theirs = row(1, n, "x", n, by="mine"), row(1, n, "x", n, by="theirs")
        outcomes = await asyncio.gather(
            journal.append([mine], epochs), other.append([theirs], epochs), return_exceptions=True
        )
        won = [made for made, outcome in zip((mine, theirs), outcomes, strict=True) if outcome == frozenset()]
        lost = [outcome for outcome in outcomes if outcome != frozenset()]
        assert len(won) == 1
        assert [type(outcome) for outcome in lost] == [Corrupted]
        assert await journal.feed(1, n - 1, 10) == won
    assert len(await journal.history("space", "x", 0, ROUNDS + 1)) == ROUNDS


async def test_two_owners_in_turn_and_at_once_store_what_they_were_told(
    journal: PostgresJournal, other: PostgresJournal
) -> None:
    """Both claim and append at the same time: whoever is told of success finds the event, in order."""
    stored = 0
    for _ in range(100):

        async def one(with_journal: PostgresJournal, name: str) -> int:
            [claim] = await with_journal.claim([1], name)
            made = row(1, claim.last_seq + 1, "x", claim.last_seq + 1, by=name)
            return int(await with_journal.append([made], {1: claim.epoch}) == frozenset())

        stored += sum(await asyncio.gather(one(journal, "a"), one(other, "b")))
    assert [made.seq for made in await journal.feed(1, 0, 1_000)] == list(range(1, stored + 1))
    assert stored >= 100


async def test_claims_and_appends_of_many_shards_in_any_order_do_not_deadlock(
    journal: PostgresJournal, other: PostgresJournal
) -> None:
    numbers = list(range(SHARDS))

    async def claims(with_journal: PostgresJournal, order: list[int]) -> None:
        for _ in range(30):
            found = await with_journal.claim(order, "a")
            epochs = {claim.shard: claim.epoch for claim in reversed(found)}
            await with_journal.append([], epochs)
            await with_journal.release(epochs)
            await with_journal.claim(order, "b", after=epochs)

    await asyncio.gather(claims(journal, numbers), claims(other, numbers[::-1]))


async def test_a_lock_that_is_held_for_long_delays_an_append_and_a_claim_no_longer_than_set(
    server: Server, context: str
) -> None:
    journal = await PostgresJournal.open(server.url(), context, SHARDS, JournalSettings(lock_seconds=0.2))
    try:
        [claim] = await journal.claim([1], "a")
        async with connected(server, context) as holder, holder.transaction():
            await holder.execute("SELECT FROM shards FOR UPDATE")
            with pytest.raises(JournalUnavailable, match="statement timeout"):
                await journal.append([row(1, 1, "x", 1)], {1: claim.epoch})
            with pytest.raises(JournalUnavailable, match="statement timeout"):
                await journal.claim([1], "b")
        assert await journal.append([row(1, 1, "x", 1)], {1: claim.epoch}) == frozenset()
    finally:
        await journal.close()


async def test_appends_beyond_the_connections_wait_no_longer_than_set(server: Server, context: str) -> None:
    journal = await PostgresJournal.open(server.url(), context, SHARDS, JournalSettings(lock_seconds=0.3))
    try:
        epochs = {claim.shard: claim.epoch for claim in await journal.claim([1, 2, 3, 4], "a")}
        async with connected(server, context) as holder, holder.transaction():
            await holder.execute("SELECT FROM shards FOR UPDATE")
            outcomes = await asyncio.gather(
                *(journal.append([row(n, 1, f"{n}", 1)], {n: epochs[n]}) for n in (1, 2, 3, 4)),
                return_exceptions=True,
            )
            assert [type(outcome) for outcome in outcomes] == [JournalUnavailable] * 4
            assert {"timeout" in str(outcome) or "were busy" in str(outcome) for outcome in outcomes} == {
                True
            }
            # Reads have connections of their own.
            assert await journal.feed(1, 0, 10) == []
        assert await journal.append([row(1, 1, "1", 1)], {1: epochs[1]}) == frozenset()
    finally:
        await journal.close()


async def test_several_snapshots_of_an_entity_in_one_append_leave_the_last(journal: PostgresJournal) -> None:
    [claim] = await journal.claim([1], "a")
    rows = [row(1, n, "x", n) for n in range(1, 4)]
    await journal.append(rows, {1: claim.epoch}, [snapshot(rows[0]), snapshot(rows[2])])
    kept = await journal.replay("space", "x", lambda snapshot, rows: (snapshot, list(rows)))
    assert kept == (snapshot(rows[2]), [])
