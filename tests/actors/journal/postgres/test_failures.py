"""What a journal makes of the errors that a server reports, in the middle of an append and at its commit."""

from collections.abc import AsyncIterator

import pytest

from actors.journal.port import Corrupted, JournalError, JournalFull, JournalUnavailable, OutcomeUnknown
from actors.journal.postgres import PostgresJournal
from tests.actors.journal.conformance import SHARDS, replayed, row
from tests.actors.journal.postgres.server import Server
from tests.actors.journal.postgres.waiting import connected

CASES = [
    ("53100", JournalFull),  # disk full
    ("25006", JournalUnavailable),  # read-only
    ("40P01", JournalUnavailable),  # deadlock
    ("53200", JournalUnavailable),  # out of memory
    ("58030", JournalUnavailable),  # input or output failed
    ("42501", JournalUnavailable),  # no right to
    ("23505", Corrupted),  # not unique
    ("XX001", Corrupted),  # damaged data
    ("40003", OutcomeUnknown),  # completion unknown
    ("08006", OutcomeUnknown),  # connection failure
]


@pytest.fixture
async def journal(server: Server, context: str) -> AsyncIterator[PostgresJournal]:
    made = await PostgresJournal.open(server.url(), context, SHARDS)
    yield made
    await made.close()


@pytest.mark.parametrize("when", ["AFTER INSERT", "deferred to the commit"])
@pytest.mark.parametrize(("state", "kind"), CASES)
async def test_an_error_of_the_server_is_told_by_its_kind_and_the_next_append_goes_through(
    server: Server, context: str, journal: PostgresJournal, state: str, kind: type[JournalError], when: str
) -> None:
    [claim] = await journal.claim([1], "a")
    async with connected(server, context) as direct:
        await direct.execute(
            "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$BEGIN RAISE EXCEPTION 'as ordered' USING ERRCODE = '{state}'; END$$"
        )
        if when == "AFTER INSERT":
            await direct.execute(
                "CREATE TRIGGER fails AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION fails()"
            )
        else:
            await direct.execute(
                "CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION fails()"
            )
        with pytest.raises(kind, match="as ordered"):
            await journal.append([row(1, 1, "x", 1)], {1: claim.epoch})
        await direct.execute("DROP TRIGGER fails ON events")
    assert await journal.feed(1, 0, 10) == []
    assert await journal.append([row(1, 1, "x", 1)], {1: claim.epoch}) == frozenset()
    assert await replayed(journal, "x") == (None, [row(1, 1, "x", 1)])


@pytest.mark.parametrize("by", ["a\x00da", "\ud800"])
async def test_text_that_postgresql_cannot_hold_is_refused_and_the_next_append_goes_through(
    journal: PostgresJournal, by: str
) -> None:
    [claim] = await journal.claim([1], "a")
    with pytest.raises(Corrupted):
        await journal.append([row(1, 1, "x", 1, by=by)], {1: claim.epoch})
    assert await journal.append([row(1, 1, "x", 1)], {1: claim.epoch}) == frozenset()


@pytest.mark.parametrize("sequences", [(1, 3), (2, 1), (1, 1), (1, 2, 2)])
async def test_sequences_that_do_not_follow_each_other_are_never_sent(
    journal: PostgresJournal, sequences: tuple[int, ...]
) -> None:
    [claim] = await journal.claim([1], "a")
    with pytest.raises(Corrupted, match="do not follow each other"):
        await journal.append([row(1, seq, f"{n}", 1) for n, seq in enumerate(sequences)], {1: claim.epoch})


async def test_an_entity_that_lacks_a_version_is_not_replayed(
    server: Server, context: str, journal: PostgresJournal
) -> None:
    [claim] = await journal.claim([1], "a")
    await journal.append([row(1, n, "x", n) for n in (1, 2, 3)], {1: claim.epoch})
    async with connected(server, context) as direct:
        await direct.execute("DELETE FROM events WHERE version = 2")
    with pytest.raises(Corrupted, match="space/x lacks versions"):
        await replayed(journal, "x")
