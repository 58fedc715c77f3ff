"""A gateway over real regions and a journal in memory, and a client that says exactly what it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from actors.following.following import Following
from actors.journal.memory import MemoryJournal
from actors.manifest import read
from actors.region import Region, open_region
from actors.settings import Settings
from actors.stage import Stage
from actors.views.memory import MemoryViews
from actors.views.projections import Projections
from contexts.vocabulary import Context
from gateway.server import Gateway
from gateway.server_sent_events import EventStreamEncoder
from tests.gateway import notes

PATIENCE = 10.0
"""Seconds after which a test gives up waiting; nothing here takes a tenth of it."""


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def problem(self) -> str:
        """The problem's name."""
        assert self.headers["content-type"] == "application/problem+json", self
        members = self.json
        assert members["status"] == self.status
        assert {"title", "instance"} <= members.keys()
        return str(members["type"]).removeprefix("/problems/")


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read(self, head_only: bool = False) -> Reply:
        """The next answer."""
        async with asyncio.timeout(PATIENCE):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {}
            for line in lines[1:-2]:
                name, _, value = line.partition(": ")
                assert name.lower() not in headers, f"{name} is repeated"
                headers[name.lower()] = value
            size = 0 if head_only else int(headers.get("content-length", "0"))
            return Reply(int(lines[0].split(" ")[1]), headers, await self.reader.readexactly(size))

    async def request(
        self, method: str, path: str, body: Any = None, raw: bytes | None = None, **headers: str
    ) -> Reply:
        """``body`` goes as JSON, ``raw`` as it is; ``If_Match="..."`` is the header ``If-Match``."""
        await self.send(request(method, path, body, raw, **headers))
        return await self.read(head_only=method == "HEAD")

    async def ended(self) -> bytes:
        """What comes until the server ends the connection."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


def request(method: str, path: str, body: Any = None, raw: bytes | None = None, **headers: str) -> bytes:
    """A request's bytes."""
    content = msgspec.json.encode(body) if body is not None else raw
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", "Host: test"]
    if content is not None:
        if body is not None:
            named.setdefault("Content-Type", "application/json")
        lines.append(f"Content-Length: {len(content)}")
    lines += [f"{name}: {value}" for name, value in named.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + (content or b"")


class Served:
    """A running gateway with everything behind it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stage = Stage()
        self.journals: dict[str, MemoryJournal] = {}
        self.regions: dict[str, Region] = {}
        self.views: dict[str, Projections] = {}
        self.followings: dict[str, Following] = {}
        self.reasons: dict[str, str] = {}
        """Why the worker is not ready."""
        self.notes: dict[str, str] = {}
        """What is wrong while it serves."""
        self.gateway: Gateway
        self._clients: list[Client] = []

    @property
    def journal(self) -> MemoryJournal:
        return self.journals["notes"]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.gateway.port))
        self._clients.append(client)
        return client

    async def request(self, method: str, path: str, body: Any = None, **how: Any) -> Reply:
        """One request on a connection of its own."""
        client = await self.connect()
        try:
            return await client.request(method, path, body, **how)
        finally:
            client.close()

    async def open(self, contexts: tuple[Context, ...], followed: bool) -> None:
        for context in contexts:
            journal = self.journals[context.name] = MemoryJournal(4)
            region = await open_region(read(context), journal, self.stage, self.settings, "tester")
            self.regions[context.name] = region
            if context.views:
                await self._open_views(region)
            if followed:
                self._open_following(region)
        self.gateway = Gateway(
            self.settings.gateway,
            self.regions,
            lambda: self.reasons,
            notes=lambda: self.notes,
            views=self.views,
            followings=self.followings,
        )
        self.gateway.start()

    def _open_following(self, region: Region) -> None:
        limit = self.settings.gateway.followers
        views = self.views.get(region.name)
        following = self.followings[region.name] = Following(region, views, EventStreamEncoder(), limit)
        following.open()

    async def _open_views(self, region: Region) -> None:
        clock = asyncio.get_running_loop().time
        views = self.views[region.name] = Projections(region, MemoryViews(), self.settings.views, clock)
        await views.open()

    async def close(self) -> None:
        for client in self._clients:
            client.close()
        for journal in self.journals.values():
            journal.let_go()
        await self.gateway.stop(1.0)
        for following in self.followings.values():
            await following.close()
        for views in self.views.values():
            await views.close()
        for region in self.regions.values():
            await region.drain(5.0)
            await region.close()
        self.stage.shutdown()


@asynccontextmanager
async def serving(
    *contexts: Context,
    gateway: Mapping[str, Any] | None = None,
    followed: bool = False,
    **sections: Any,
) -> AsyncIterator[Served]:
    """Serve ``contexts`` (the notes, if none) on a free port; ``gateway`` and others are settings.
    ``followed``: events may be followed."""
    section = {"bind": "127.0.0.1:0", **(gateway or {})}
    served = Served(msgspec.convert({"gateway": section, **sections}, Settings))
    await served.open(contexts or (notes.context,), followed)
    try:
        yield served
    finally:
        await served.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait until ``condition()`` is true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
