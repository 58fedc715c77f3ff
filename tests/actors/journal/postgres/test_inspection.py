"""An entity's events, read beside the workers that write them."""

import asyncio

import pytest

from actors.journal.port import JournalError
from actors.journal.postgres import PostgresJournal
from actors.journal.postgres.inspection import read_entity
from tests.actors.journal.conformance import row
from tests.actors.journal.postgres.server import Server


async def test_an_entity_is_read_from_after_a_version(server: Server, context: str) -> None:
    journal = await PostgresJournal.open(server.url(), context, 8)
    try:
        [claim] = await journal.claim([1], "a")
        rows = [row(1, 1, "x", 1), row(1, 2, "y", 1), row(1, 3, "x", 2)]
        await journal.append(rows, {1: claim.epoch})
        assert await asyncio.to_thread(read_entity, server.url(), context, "space", "x") == [rows[0], rows[2]]
        assert await asyncio.to_thread(read_entity, server.url(), context, "space", "x", 1) == [rows[2]]
        assert await asyncio.to_thread(read_entity, server.url(), context, "space", "z") == []
    finally:
        await journal.close()


async def test_a_context_without_a_journal_is_an_error_and_gets_none(server: Server, context: str) -> None:
    for _ in range(2):
        with pytest.raises(JournalError, match="does not exist"):
            await asyncio.to_thread(read_entity, server.url(), context, "space", "x")
