"""A TCP proxy between a journal and its server, whose line is cut, held or moved on order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Direction:
    """One way of the line: open, or holding what arrives."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.held = asyncio.Event()
        """Something has arrived that goes no further."""

    def hold(self) -> None:
        """Let nothing more through."""
        self.held.clear()
        self._open.clear()

    def release(self) -> None:
        """Let through what was held and what comes."""
        self._open.set()

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Until either end is gone."""
        try:
            while data := await source.read(65_536):
                if not self._open.is_set():
                    self.held.set()
                    await self._open.wait()
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


class Proxy:
    """``target`` is the port that new connections lead to; None: they are refused."""

    def __init__(self, target: int | None) -> None:
        self.target = target
        self.requests = Direction()
        self.answers = Direction()
        self.accepted = 0
        self.port = 0
        self._lines: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()

    def url(self, options: str = "") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable{options}"

    def lose(self) -> None:
        """Let nothing through on the lines that there are, without a word; new ones are as good as ever."""
        self.requests.hold()
        self.answers.hold()
        self.requests, self.answers = Direction(), Direction()

    def cut(self) -> None:
        """Reset every connection; what was held is lost."""
        for end in self._ends:
            end.transport.abort()
        for line in self._lines:
            line.cancel()

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A new connection."""
        self.accepted += 1
        line = asyncio.get_running_loop().create_task(self._line(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        self._ends.add(writer)
        try:
            if self.target is None:
                return
            above, to_server = await asyncio.open_connection("127.0.0.1", self.target)
            ends.add(to_server)
            self._ends.add(to_server)
            await asyncio.gather(self.requests.pump(reader, to_server), self.answers.pump(above, writer))
        except OSError:
            # The server is away: the client sees its connection end.
            return
        finally:
            for end in ends:
                end.transport.abort()
            self._ends -= ends

    async def close(self) -> None:
        """End all connections."""
        self.cut()
        await asyncio.gather(*self._lines, return_exceptions=True)


@asynccontextmanager
async def proxied(target: int | None) -> AsyncIterator[Proxy]:
    """A proxy on a free loopback port."""
    proxy = Proxy(target)
    listener = await asyncio.start_server(proxy.take, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        await proxy.close()
        await listener.wait_closed()
