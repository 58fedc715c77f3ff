"""A real NATS server on loopback, and what stands on it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from actors.fabric.connection import Access, Connection, connect
from actors.fabric.server import EmbeddedServer

Connect = Callable[[str], Awaitable[Connection]]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / "nats", "venue")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def connecting(server: EmbeddedServer) -> AsyncIterator[Connect]:
    """Makes connections to the server and closes them."""
    made: list[Connection] = []

    async def make(name: str) -> Connection:
        connection = await connect(Access(urls=server.urls, token=server.token), name)
        made.append(connection)
        return connection

    yield make
    for connection in made:
        await connection.close()
