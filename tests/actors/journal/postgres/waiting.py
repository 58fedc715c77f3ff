"""Polling with a deadline, and what a server says of those who wait at it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.actors.journal.postgres.server import Server

SECONDS = 20.0


async def until(true: Callable[[], Awaitable[Any]]) -> None:
    """Ask until the answer is yes."""
    async with asyncio.timeout(SECONDS):
        while not await true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(server: Server, context: str) -> AsyncIterator[Any]:
    """A connection of the test's own, to a context's schema."""
    connection = await asyncpg.connect(server.url(), server_settings={"search_path": f'"{context}"'})
    try:
        yield connection
    finally:
        await connection.close()


async def someone_waits_for_a_lock(connection: Any, context: str) -> bool:
    """A statement of this context's journal waits for a lock."""
    # Within a transaction the first look would be the last.
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1 "
        "AND wait_event_type = 'Lock' AND state = 'active')",
        f"butai {context}",
    )
    return found


async def connections(connection: Any, context: str) -> int:
    """How many a context's journal has."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", f"butai {context}"
    )
    return found
