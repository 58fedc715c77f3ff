"""How the suite of the stores comes to its stores, and what it asks them most."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from actors.views.port import Page, ViewStore, Wanted
from tests.actors.views.documents import CARDS

Opens = Callable[[], Awaitable[ViewStore]]


@asynccontextmanager
async def opened(opens: Opens) -> AsyncIterator[ViewStore]:
    """One more store, closed in the end."""
    store = await opens()
    try:
        yield store
    finally:
        await store.close()


class Opening:
    """``store`` is a worker's, ``other`` another's on the same data; generation 1 is that of ``cards``."""

    @pytest.fixture
    async def store(self, opens: Opens) -> AsyncIterator[ViewStore]:
        async with opened(opens) as store:
            await store.prepare([CARDS.shape])
            yield store

    @pytest.fixture
    async def other(self, store: ViewStore, opens: Opens) -> AsyncIterator[ViewStore]:
        async with opened(opens) as other:
            await other.prepare([CARDS.shape])
            yield other


async def page(store: ViewStore, view: str = "cards", **wanted: Any) -> Page:
    """One page of a view."""
    reading = await store.read([Wanted(view, **wanted)])
    [found] = reading.pages
    return found


async def keys(store: ViewStore, view: str = "cards", **wanted: Any) -> list[str]:
    """The keys of what is found, in order."""
    return [found.key for found in (await page(store, view, **wanted)).found]


async def documents(store: ViewStore, view: str = "cards") -> dict[str, bytes | None]:
    """All documents of a view and its tombstones, by key."""
    found = (await page(store, view, limit=100_000, tombstones=True)).found
    return {one.key: one.document for one in found}


async def folds(store: ViewStore, view: str = "cards") -> dict[str, int | None]:
    """How many events each document counts; None for a tombstone."""
    found = await documents(store, view)
    return {key: None if data is None else msgspec.json.decode(data)["folds"] for key, data in found.items()}
