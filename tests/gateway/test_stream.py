"""A stream over a real socket: when there is room, who is cut, and who is not."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from actors.following.port import Sink
from gateway.events import Follower
from tests.gateway import library
from tests.gateway.serving import Served, request, serving

MESSAGE = b":%s\n\n" % (b"x" * 2_000)
PATIENCE = 10.0


class Slow:
    """A client that reads when it is told to, and what it is sent."""

    def __init__(self, sink: Sink, client: socket.socket) -> None:
        self.sink = sink
        self._client = client

    async def read(self) -> int:
        """Some bytes of what was sent; 0 when it was cut."""
        async with asyncio.timeout(PATIENCE):
            try:
                return len(await asyncio.get_running_loop().sock_recv(self._client, 65_536))
            except ConnectionResetError:
                return 0

    async def fall_behind(self) -> "asyncio.Task[None]":
        """Be sent messages until there is no room at once; ends when there is."""
        async with asyncio.timeout(PATIENCE):
            while True:
                assert self.sink.send(MESSAGE)
                room = asyncio.create_task(self._room())
                await asyncio.sleep(0)
                if not room.done():
                    return room

    async def _room(self) -> None:
        await self.sink.room()


@asynccontextmanager
async def slow_client(
    served: Served, monkeypatch: pytest.MonkeyPatch, window: int | None = 4096
) -> AsyncIterator[Slow]:
    """Follows through a socket that takes so many bytes, or as many as the system gives it."""
    following = served.followings["library"]
    begin = following.context
    sinks: asyncio.Queue[Sink] = asyncio.Queue(1)

    async def seen(after: Mapping[int, int] | None, sink: Sink) -> Follower:
        sinks.put_nowait(sink)
        return await begin(after, sink)

    monkeypatch.setattr(following, "context", seen)
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        if window:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", served.gateway.port))
        await loop.sock_sendall(client, request("GET", "/library/events", Accept="text/event-stream"))
        async with asyncio.timeout(PATIENCE):
            slow = Slow(await sinks.get(), client)
            found = b""
            while b"retry: 1000" not in found:
                found += await loop.sock_recv(client, 4096)
        yield slow


async def test_there_is_room_again_for_one_who_has_read_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little the transport had left: it tells of room only if it was full."""
    async with (
        serving(library.context, followed=True) as served,
        slow_client(served, monkeypatch) as slow,
    ):
        room = await slow.fall_behind()
        async with asyncio.timeout(PATIENCE):
            while not room.done():
                await slow.read()
        assert slow.sink.send(MESSAGE)


async def test_one_who_reads_steadily_is_not_cut_for_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always behind, never standing still. The kernel takes more only when it has got rid of much."""
    limits = {"body_seconds": 0.2, "follow_bytes": 16_777_216}
    async with (
        serving(library.context, followed=True, gateway=limits) as served,
        slow_client(served, monkeypatch, None) as slow,
    ):
        room = await slow.fall_behind()
        clock = asyncio.get_running_loop().time
        owed, end = 4_000_000, clock() + 1.5
        while clock() < end:
            while owed > 0:
                assert slow.sink.send(MESSAGE)
                owed -= len(MESSAGE)
            owed += await slow.read()
            await asyncio.sleep(0)
        room.cancel()


async def test_one_who_stands_still_is_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        serving(library.context, followed=True, gateway={"body_seconds": 0.2}) as served,
        slow_client(served, monkeypatch) as slow,
    ):
        room = await slow.fall_behind()
        await asyncio.wait_for(room, PATIENCE)
        assert not slow.sink.send(MESSAGE)
        metrics = await served.request("GET", "/metrics")
        assert b"butai_http_followers_cut_total 1.0\n" in metrics.body


async def test_one_who_is_too_far_behind_is_cut_at_once_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        serving(library.context, followed=True, gateway={"follow_bytes": 131_072}) as served,
        slow_client(served, monkeypatch) as slow,
    ):
        room = await slow.fall_behind()
        most = 131_072 // len(MESSAGE) + 2
        assert not all(slow.sink.send(MESSAGE) for _ in range(most))
        await asyncio.wait_for(room, PATIENCE)
        metrics = await served.request("GET", "/metrics")
        assert b"butai_http_followers_cut_total 1.0\n" in metrics.body
