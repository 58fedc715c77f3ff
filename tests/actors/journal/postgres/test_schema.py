"""A context's schema is made once, by whoever comes first, and not by a program that is too old."""

import asyncio
import traceback
from pathlib import Path

import pytest

from actors.journal.port import Corrupted, JournalUnavailable
from actors.journal.postgres import PostgresJournal
from actors.settings import JournalSettings
from tests.actors.journal.conformance import row
from tests.actors.journal.postgres.server import Server
from tests.actors.journal.postgres.waiting import connected
from tests.ports import free_port


async def test_workers_that_start_at_once_make_one_journal(server: Server, context: str) -> None:
    journals = await asyncio.gather(*(PostgresJournal.open(server.url(), context, 16) for _ in range(6)))
    epochs = [(await journal.claim([3], "a"))[0].epoch for journal in journals]
    assert epochs == [1, 2, 3, 4, 5, 6]
    await asyncio.gather(*(journal.close() for journal in journals))


async def test_the_number_of_shards_is_fixed_when_the_journal_is_made(server: Server, context: str) -> None:
    first = await PostgresJournal.open(server.url(), context, 16)
    second = await PostgresJournal.open(server.url(), context, 32)
    assert (first.shards, second.shards) == (16, 16)
    await first.close()
    await second.close()


async def test_contexts_have_schemas_of_their_own(server: Server, context: str) -> None:
    one = await PostgresJournal.open(server.url(), context, 4)
    other = await PostgresJournal.open(server.url(), f"{context}_other", 4)
    [claim] = await one.claim([1], "a")
    await one.append([row(1, 1, "x", 1)], {1: claim.epoch})
    assert await other.feed(1, 0, 10) == []
    assert one.identity != other.identity
    assert (await other.claim([1], "a"))[0].last_seq == 0
    await one.close()
    await other.close()


async def test_a_schema_of_a_later_program_is_refused(server: Server, context: str) -> None:
    await (await PostgresJournal.open(server.url(), context, 4)).close()
    async with connected(server, context) as direct:
        await direct.execute("INSERT INTO migrations VALUES (9999, '9999_later.sql')")
    with pytest.raises(Corrupted, match="schema version 9999, this program knows up to 1: use a newer"):
        await PostgresJournal.open(server.url(), context, 4)


async def test_a_journal_that_is_ready_opens_without_the_right_to_make_one(
    server: Server, context: str
) -> None:
    await (await PostgresJournal.open(server.url(), context, 4)).close()
    role = f"{context}-reader"
    async with connected(server, context) as direct:
        await direct.execute(
            f'CREATE ROLE "{role}" LOGIN; GRANT USAGE ON SCHEMA "{context}" TO "{role}";'
            f'GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA "{context}" TO "{role}"'
        )
    journal = await PostgresJournal.open(server.url(role), context, 4)
    assert journal.identity
    [claim] = await journal.claim([1], "a")
    assert await journal.append([row(1, 1, "x", 1)], {1: claim.epoch}) == frozenset()
    await journal.close()


@pytest.mark.parametrize("url", ["postgresql://user@127.0.0.1:1x/db", "mysql://user@127.0.0.1/db", "[", ""])
async def test_a_url_that_makes_no_sense_is_refused(url: str, context: str) -> None:
    with pytest.raises(JournalUnavailable):
        await PostgresJournal.open(url, context, 4, JournalSettings(lock_seconds=0.5))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:sec/ret@127.0.0.1/db",
        "postgresql://user:se#cret@127.0.0.1/db",
        "postgresql://user:secret\u2100@127.0.0.1/db",
        "postgresql://user:secret[@127.0.0.1/db",
        "postgresql:/user:secret@127.0.0.1/db",
        "postgresql://user:secret@127.0.0.1:1/db?sslmode=secret",
        "secret",
    ],
)
async def test_a_url_that_makes_no_sense_is_refused_without_the_password(url: str, context: str) -> None:
    with pytest.raises(JournalUnavailable) as refused:
        await PostgresJournal.open(url, context, 4, JournalSettings(lock_seconds=0.5))
    told = "".join(traceback.format_exception(refused.value))
    assert not [part for part in ("sec", "ret") if f"'{part}" in told or f"{part}'" in told]
    assert "secret" not in str(refused.value)


async def test_the_password_may_be_in_the_password_file(
    server: Server, context: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"{context}-secret"
    rules = server.data / "pg_hba.conf"
    rules.write_text(f'host all "{role}" 127.0.0.1/32 scram-sha-256\n{rules.read_text()}')
    async with connected(server, context) as direct:
        await direct.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'se-cret'")
        await direct.execute(f'GRANT CREATE ON DATABASE postgres TO "{role}"')
        await direct.execute("SELECT pg_reload_conf()")
    with pytest.raises(JournalUnavailable):
        await PostgresJournal.open(server.url(f"{role}:wrong"), context, 4)
    file = tmp_path / "passwords"
    file.write_text(f"127.0.0.1:{server.port}:*:{role}:se-cret\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    journal = await PostgresJournal.open(server.url(role), context, 4)
    assert "cret" not in f"{vars(journal)}{vars(journal._pool)}"
    await journal.close()


async def test_nobody_at_the_address_is_said_without_the_password(context: str) -> None:
    url = f"postgresql://user:secret@127.0.0.1:{free_port()}/db"
    with pytest.raises(JournalUnavailable) as refused:
        await PostgresJournal.open(url, context, 4)
    assert "secret" not in str(refused.value)
