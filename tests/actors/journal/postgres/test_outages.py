"""What a journal says when its server or the line to it fails, and that it goes on by itself afterwards."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import pytest

from actors.journal.port import Claim, Journal, JournalError, JournalUnavailable, OutcomeUnknown, Tenure
from actors.journal.postgres import PostgresJournal, session
from actors.settings import JournalSettings
from tests.actors.journal.conformance import SHARDS, replayed, row
from tests.actors.journal.postgres.proxy import Proxy, proxied
from tests.actors.journal.postgres.server import Server
from tests.actors.journal.postgres.waiting import connected, connections, someone_waits_for_a_lock, until

T = TypeVar("T")

LONG = JournalSettings(lock_seconds=20.0)
SHORT = JournalSettings(lock_seconds=0.3)
FIRST, SECOND = row(1, 1, "x", 1), row(1, 2, "x", 2)


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with proxied(server.port) as made:
        yield made


@pytest.fixture
async def journal(proxy: Proxy, context: str) -> AsyncIterator[PostgresJournal]:
    made = await PostgresJournal.open(proxy.url(), context, SHARDS, LONG)
    yield made
    await made.close()


async def warmed(journal: Journal) -> Claim:
    """Claimed, and connected as it is in the middle of its work."""
    [claim] = await journal.claim([1], "a")
    assert await journal.append([FIRST], {1: claim.epoch}) == frozenset()
    return claim


async def test_a_line_cut_before_the_append_arrives_leaves_its_outcome_unknown_and_nothing_stored(
    proxy: Proxy, journal: PostgresJournal
) -> None:
    claim = await warmed(journal)
    proxy.requests.hold()
    append = asyncio.ensure_future(journal.append([SECOND], {1: claim.epoch}))
    await proxy.requests.held.wait()
    proxy.cut()
    with pytest.raises(OutcomeUnknown):
        await append
    proxy.requests.release()
    [again] = await journal.claim([1], "a")
    assert again.last_seq == 1
    assert await journal.append([SECOND], {1: again.epoch}) == frozenset()


async def test_a_line_cut_between_commit_and_answer_leaves_the_outcome_unknown_and_the_event_stored(
    server: Server, context: str, proxy: Proxy, journal: PostgresJournal
) -> None:
    claim = await warmed(journal)
    proxy.answers.hold()
    append = asyncio.ensure_future(journal.append([SECOND], {1: claim.epoch}))
    await proxy.answers.held.wait()
    async with connected(server, context) as direct:
        assert await direct.fetchval("SELECT max(seq) FROM events") == 2
    proxy.cut()
    with pytest.raises(OutcomeUnknown):
        await append
    proxy.answers.release()
    [again] = await journal.claim([1], "a")
    assert again.last_seq == 2
    assert await journal.feed(1, 0, 10) == [FIRST, SECOND]


async def test_a_line_cut_before_an_append_is_sent_says_that_nothing_was_written(
    proxy: Proxy, journal: PostgresJournal
) -> None:
    """A new connection prepares its statement first: nothing is in doubt while it does."""
    [claim] = await journal.claim([1], "a")
    proxy.requests.hold()
    append = asyncio.ensure_future(journal.append([FIRST], {1: claim.epoch}))
    await proxy.requests.held.wait()
    proxy.cut()
    with pytest.raises(JournalUnavailable):
        await append
    proxy.requests.release()
    assert await journal.append([FIRST], {1: claim.epoch}) == frozenset()


async def test_a_server_without_a_word_costs_an_append_no_more_than_its_time(
    server: Server, context: str, proxy: Proxy
) -> None:
    journal = await PostgresJournal.open(proxy.url(), context, SHARDS, SHORT)
    try:
        claim = await warmed(journal)
        proxy.answers.hold()
        outcomes = await asyncio.gather(
            journal.append([SECOND], {1: claim.epoch}),
            journal.claim([2], "a"),
            journal.feed(1, 0, 10),
            replayed(journal, "x"),
            return_exceptions=True,
        )
        assert isinstance(outcomes[0], OutcomeUnknown)
        assert [type(outcome) for outcome in outcomes[1:]] == [JournalUnavailable] * 3
        proxy.answers.release()
        proxy.cut()
        [again] = await journal.claim([1], "a")
        assert again.last_seq == 2
    finally:
        await journal.close()


async def test_a_line_cut_while_nobody_used_it_is_noticed_by_nobody(
    proxy: Proxy, journal: PostgresJournal
) -> None:
    claim = await warmed(journal)
    assert await journal.feed(1, 0, 10) == [FIRST]
    before = proxy.accepted
    proxy.cut()
    # Reads go first: they may find out and try again.
    assert await replayed(journal, "x") == (None, [FIRST])
    assert await journal.append([SECOND], {1: claim.epoch}) == frozenset()
    assert proxy.accepted > before


async def test_a_line_that_died_while_it_rested_leaves_no_append_in_doubt(
    proxy: Proxy, journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It swallows everything without a word, as a firewall does with a line that it has forgotten."""
    monkeypatch.setattr(session, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.1)
    claim = await warmed(journal)
    before = proxy.accepted
    proxy.lose()
    assert await journal.append([SECOND], {1: claim.epoch}) == frozenset()
    assert await journal.feed(1, 0, 10) == [FIRST, SECOND]
    assert proxy.accepted > before


async def test_a_line_in_constant_use_is_asked_for_no_sign_of_life(
    proxy: Proxy, journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await warmed(journal)

    async def asked(self: object) -> bool:
        raise AssertionError

    monkeypatch.setattr(session, "QUIET_SECONDS", 3_600.0)
    monkeypatch.setattr("asyncpg.Connection.execute", asked)
    assert await journal.append([SECOND], {1: claim.epoch}) == frozenset()


async def test_a_read_or_claim_whose_line_is_cut_is_asked_again(
    proxy: Proxy, journal: PostgresJournal
) -> None:
    await warmed(journal)
    asks = (lambda: journal.feed(1, 0, 10), lambda: replayed(journal, "x"), lambda: journal.claim([1], "b"))
    for ask in asks:
        await ask()
        proxy.answers.hold()
        asked = asyncio.ensure_future(ask())
        await proxy.answers.held.wait()
        proxy.answers.release()
        proxy.cut()
        assert await asked


async def answer_lost(proxy: Proxy, ask: Awaitable[T]) -> T:
    """The line is cut once the server has done it, before it can be heard."""
    proxy.answers.hold()
    asked = asyncio.ensure_future(ask)
    await proxy.answers.held.wait()
    proxy.answers.release()
    proxy.cut()
    return await asked


async def test_a_claim_that_follows_an_epoch_is_ours_though_its_answer_was_lost(
    proxy: Proxy, journal: PostgresJournal
) -> None:
    await journal.claim([1], "a", after={1: 0})
    await journal.claim([2], "b", after={2: 0})
    ask = journal.claim([1, 2, 3], "a", after={1: 1, 2: 0, 3: 0})
    assert await answer_lost(proxy, ask) == [Claim(1, 2, 0), Claim(3, 1, 0)]
    assert await journal.claim([1], "a", after={1: 1}) == []


async def test_a_claim_whose_answer_is_late_is_ours_when_it_is_asked_again(
    server: Server, context: str, proxy: Proxy
) -> None:
    journal = await PostgresJournal.open(proxy.url(), context, SHARDS, SHORT)
    try:
        await journal.claim([1], "a", after={1: 0})
        proxy.answers.hold()
        with pytest.raises(JournalUnavailable):
            await journal.claim([1, 2], "a", after={1: 1, 2: 0})
        proxy.answers.release()
        async with connected(server, context) as direct:
            await direct.execute("UPDATE shards SET epoch = 2, owner = 'b' WHERE shard = 2")
        assert await journal.claim([1, 2], "a", after={1: 1, 2: 0}) == [Claim(1, 2, 0)]
    finally:
        await journal.close()


async def test_a_release_whose_answer_was_lost_leaves_the_next_owner_alone(
    proxy: Proxy, journal: PostgresJournal
) -> None:
    [mine] = await journal.claim([1], "a")
    await answer_lost(proxy, journal.release({1: mine.epoch}))
    [theirs] = await journal.claim([1], "b", after={1: mine.epoch})
    await answer_lost(proxy, journal.release({1: mine.epoch}))
    assert (await journal.tenures())[1] == Tenure(1, theirs.epoch, "b")


async def test_while_the_server_is_away_everything_is_refused_and_afterwards_nothing(
    proxy: Proxy, server: Server, journal: PostgresJournal
) -> None:
    claim = await warmed(journal)
    proxy.target = None
    proxy.cut()
    with pytest.raises(JournalUnavailable):  # whoever asks first may find out
        await journal.feed(1, 0, 10)
    for _ in range(3):
        for outcome in await asyncio.gather(
            journal.append([SECOND], {1: claim.epoch}),
            journal.claim([1], "a"),
            journal.feed(1, 0, 10),
            journal.history("space", "x", 0, 10),
            replayed(journal, "x"),
            return_exceptions=True,
        ):
            assert isinstance(outcome, JournalUnavailable)
            assert "no PostgreSQL server that takes writes can be reached" in str(outcome)
    assert not journal.dead
    proxy.target = server.port
    assert await journal.append([SECOND], {1: claim.epoch}) == frozenset()
    assert await replayed(journal, "x") == (None, [FIRST, SECOND])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_server_restarted_under_an_append_is_used_again(
    server: Server, context: str, how: signal.Signals
) -> None:
    journal = await PostgresJournal.open(server.url(), context, SHARDS, LONG)
    try:
        claim = await warmed(journal)
        async with connected(server, context) as holder:
            await holder.execute("BEGIN; SELECT FROM shards WHERE shard = 1 FOR UPDATE")
            append = asyncio.ensure_future(journal.append([SECOND], {1: claim.epoch}))
            await until(lambda: someone_waits_for_a_lock(holder, context))
            server.stop(how)
            with pytest.raises(OutcomeUnknown):
                await append
            holder.terminate()
        with pytest.raises(JournalUnavailable):
            await journal.claim([1], "a")
        server.start()
        [again] = await journal.claim([1], "a")
        assert (again.last_seq, again.epoch) == (1, claim.epoch + 1)
        assert await journal.append([SECOND], {1: again.epoch}) == frozenset()
    finally:
        await journal.close()


async def test_a_server_that_becomes_read_only_is_left_and_taken_again_when_it_is_not(
    server: Server, context: str, journal: PostgresJournal
) -> None:
    claim = await warmed(journal)
    assert await journal.feed(1, 0, 10) == [FIRST]
    await read_only(server, context, "on")
    try:
        for _ in range(2):
            with pytest.raises(JournalUnavailable):
                await journal.append([SECOND], {1: claim.epoch})
            with pytest.raises(JournalUnavailable):
                await journal.claim([1], "a")
            # It may be the one that was left behind by a failover: what it says is not believed.
            with pytest.raises(JournalUnavailable):
                await journal.feed(1, 0, 10)
    finally:
        await read_only(server, context, "off")
    assert await journal.append([SECOND], {1: claim.epoch}) == frozenset()
    assert await journal.feed(1, 0, 10) == [FIRST, SECOND]


async def read_only(server: Server, context: str, value: str) -> None:
    """For every session of the server. A new one begins with the value only after all others were told."""
    async with connected(server, context) as direct:
        await direct.execute("SET default_transaction_read_only = off")
        await direct.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        await direct.execute("SELECT pg_reload_conf()")

    async def is_so() -> bool:
        async with connected(server, context) as fresh:
            shown: str = await fresh.fetchval("SHOW default_transaction_read_only")
            return shown == value

    await until(is_so)


async def test_a_cancelled_call_leaves_no_connection_in_the_middle_of_something(
    server: Server, context: str, journal: PostgresJournal
) -> None:
    claim = await warmed(journal)
    async with connected(server, context) as holder:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("SELECT FROM shards FOR UPDATE")
        append = asyncio.ensure_future(journal.append([SECOND], {1: claim.epoch}))
        await until(lambda: someone_waits_for_a_lock(holder, context))
        append.cancel()
        with pytest.raises(asyncio.CancelledError):
            await append
        await transaction.rollback()
        [again] = await journal.claim([1], "a")
        assert await journal.feed(1, 0, 10) in ([FIRST], [FIRST, SECOND])
        assert again.epoch == claim.epoch + 1
        await journal.close()
        await until(lambda: _none(holder, context))


async def _none(connection: object, context: str) -> bool:
    return await connections(connection, context) == 0


async def test_a_host_without_a_word_does_not_delay_the_one_that_answers(
    server: Server, context: str, proxy: Proxy
) -> None:
    async with proxied(server.port) as silent:
        silent.answers.hold()
        url = f"postgresql://postgres@127.0.0.1:{silent.port},127.0.0.1:{proxy.port}/postgres?sslmode=disable"
        async with asyncio.timeout(LONG.lock_seconds / 2):
            journal = await PostgresJournal.open(url, context, SHARDS, LONG)
            await warmed(journal)
            await journal.close()


async def test_a_server_without_room_for_a_connection_is_unavailable(server: Server, context: str) -> None:
    async with connected(server, context) as direct:
        role = f'"{context}-role"'
        await direct.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")
        await direct.execute(f"GRANT CREATE ON DATABASE postgres TO {role}")
        with pytest.raises(JournalUnavailable, match="too many connections"):
            await PostgresJournal.open(server.url(f"{context}-role"), context, SHARDS)
        await direct.execute(f"ALTER ROLE {role} CONNECTION LIMIT 4")
        journal = await PostgresJournal.open(server.url(f"{context}-role"), context, SHARDS)
        claim = await warmed(journal)
        await asyncio.gather(*(journal.feed(1, 0, 10) for _ in range(20)), journal.claim([2], "a"))
        assert await journal.append([SECOND], {1: claim.epoch}) == frozenset()
        await journal.close()


async def test_a_closed_journal_finishes_what_was_asked_and_refuses_the_rest(
    journal: PostgresJournal,
) -> None:
    claim = await warmed(journal)
    replay = asyncio.ensure_future(replayed(journal, "x"))
    append = asyncio.ensure_future(journal.append([SECOND], {1: claim.epoch}))
    await asyncio.sleep(0)
    await journal.close()
    assert await append == frozenset()
    assert (await replay)[1][:1] == [FIRST]
    assert journal.dead
    for ask in (journal.claim([1], "a"), journal.feed(1, 0, 1), replayed(journal, "x")):
        with pytest.raises(JournalError, match="closed"):
            await ask
    await journal.close()
