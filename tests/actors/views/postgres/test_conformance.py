"""The PostgreSQL store keeps the promises."""

import pytest

from actors.views.port import ViewStore
from actors.views.postgres import PostgresViews
from tests.actors.journal.postgres.server import Server
from tests.actors.views.conformance import Conformance, Opens


class TestPostgresViews(Conformance):
    @pytest.fixture
    async def opens(self, server: Server, context: str) -> Opens:
        async def opens() -> ViewStore:
            return await PostgresViews.open(server.url(), context)

        return opens
