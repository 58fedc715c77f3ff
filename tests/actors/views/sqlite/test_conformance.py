"""The store on SQLite keeps the promises."""

from pathlib import Path

import pytest

from actors.views.port import ViewStore
from actors.views.sqlite import SqliteViews
from tests.actors.views.conformance import Conformance, Opens


class TestSqliteViews(Conformance):
    @pytest.fixture
    async def opens(self, tmp_path: Path) -> Opens:
        async def open_one() -> ViewStore:
            return await SqliteViews.open(tmp_path / "boxes.views.sqlite")

        return open_one
