"""The PostgreSQL journal keeps the promises."""

from collections.abc import AsyncIterator

import pytest

from actors.journal.port import Journal
from actors.journal.postgres import PostgresJournal
from tests.actors.journal.conformance import SHARDS, Conformance
from tests.actors.journal.postgres.server import Server


class TestPostgresJournal(Conformance):
    @pytest.fixture
    async def journal(self, server: Server, context: str) -> AsyncIterator[Journal]:
        made = await PostgresJournal.open(server.url(), context, SHARDS)
        yield made
        await made.close()
