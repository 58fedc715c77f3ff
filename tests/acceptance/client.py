"""A REST client that keeps every byte of an answer, and holds problems to what is promised of them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import msgspec

PATIENCE = 60.0
"""Seconds after which an answer that does not come fails a test."""


class Reply(NamedTuple):
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)

    @property
    def version(self) -> int:
        """The entity tag's version, which the body repeats."""
        version = int(self.headers["ETag"].strip('"'))
        assert self.headers["ETag"] == f'"{version}"'
        assert self.json["version"] == version
        return version

    @property
    def problem(self) -> str:
        """The problem's name in kebab case. A 503 says when to come again."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        members = self.json
        assert members["status"] == self.status
        assert members["title"]
        if self.status == 503:
            assert int(self.headers["Retry-After"]) >= 1, self
        return str(members["type"]).removeprefix("/problems/")

    @property
    def detail(self) -> str:
        """What a problem says of this occurrence."""
        return str(self.json["detail"])

    def accepted(self) -> "Reply":
        """Itself, if a command was accepted."""
        assert self.status in (200, 201), self
        return self


class Client:
    """As many connections as there are requests at once."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def request(
        self, method: str, path: str, body: Any = None, *, wait: int | None = None, **headers: str
    ) -> Reply:
        """``body`` goes as JSON; ``wait`` is how many seconds the server may take; ``If_Match="..."`` is the
        header ``If-Match``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if wait is not None:
            sent["Prefer"] = f"wait={wait}"
        async with self._session.request(
            method, self._url + path, json=body, headers=sent, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers.copy(), await response.read())

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.request("GET", path, None, wait=None, **headers)

    async def post(self, path: str, body: Any = None, *, wait: int | None = None, **headers: str) -> Reply:
        return await self.request("POST", path, body, wait=wait, **headers)

    async def metric(self, name: str) -> float:
        """A figure by its name and labels, as Prometheus writes them."""
        text = (await self.get("/metrics")).body.decode()
        (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        return float(line.rpartition(" ")[2])

    async def history(self, path: str) -> list[dict[str, Any]]:
        """All events of the entity at ``path``, page by page."""
        events: list[dict[str, Any]] = []
        page: str | None = f"{path}/events"
        while page is not None:
            reply = await self.get(page)
            assert reply.status == 200, reply
            events += reply.json["events"]
            page = reply.json["next"]
        return events


def as_answered(event: dict[str, Any]) -> dict[str, Any]:
    """An event of a history as the command's answer told it: without who, by which command, and where."""
    assert event["by"] == "anonymous"
    assert len(bytes.fromhex(event["command"])) == 16
    assert "/" in event["position"]
    return {name: event[name] for name in ("version", "type", "at", "data")}


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Client]:
    """A client whose connections end with the block."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        yield Client(session, url)
