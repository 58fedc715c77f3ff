"""The SQLite journal keeps the promises, whether events are indexed late, at once, or read from a reopened
file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.journal.port import Journal
from actors.journal.sqlite import SqliteJournal
from tests.actors.journal.conformance import SHARDS, Conformance


class TestSqliteJournal(Conformance):
    @pytest.fixture(params=[1, 3, 16_384])
    async def journal(self, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
        made = await SqliteJournal.open(tmp_path / "booking.sqlite", SHARDS, window=request.param)
        yield made
        await made.close()
