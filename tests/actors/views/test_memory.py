"""The store in memory keeps the promises."""

import pytest

from actors.views.memory import MemoryDocuments, MemoryViews
from actors.views.port import ViewStore
from tests.actors.views.conformance import Conformance, Opens


class TestMemoryViews(Conformance):
    @pytest.fixture
    async def opens(self) -> Opens:
        data = MemoryDocuments()

        async def open_one() -> ViewStore:
            return MemoryViews(data)

        return open_one
