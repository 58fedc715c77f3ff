"""Regions to command, for every test of the actors."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from actors.clock import VirtualClock
from actors.journal.memory import MemoryJournal
from actors.settings import Settings
from tests.actors.house import Build, FaultyJournal, House


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    """Makes houses: ``await build(entities={"mailbox": 3})``, over an earlier journal if given."""
    houses: list[House] = []

    async def make(journal: FaultyJournal | None = None, shards: int = 4, **sections: Any) -> House:
        settings = msgspec.convert(sections, Settings)
        house = House(journal or FaultyJournal(MemoryJournal(shards)), VirtualClock(), settings)
        await house.open()
        houses.append(house)
        return house

    yield make
    for house in houses:
        await house.close()


@pytest.fixture
async def house(build: Build) -> House:
    return await build()
