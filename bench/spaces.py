"""Opening the spaces that the loads use, over HTTP like everyone else."""

import asyncio
import itertools
import json
from collections.abc import Iterator

import aiohttp

from bench.wrk import CONNECTIONS

ALWAYS = {"capacity": 16, "time_zone": "UTC", "opens": "00:00", "closes": "24:00"}
RESERVATION = {
    "reservation": "standing",
    "guest": "ada",
    "guests": 4,
    "start": "2029-12-01T10:00:00Z",
    "end": "2029-12-01T12:00:00Z",
}


class NotOpened(Exception):
    """A space could not be opened; one line."""


def opening(id: str) -> tuple[str, dict[str, object]]:
    """Path and body that open one space for always."""
    return f"/booking/spaces/{id}", dict(ALWAYS)


def opened(name: str, count: int) -> list[tuple[str, dict[str, object]]]:
    """Path and body per space ``<name>0`` to ``<name><count - 1>``, always open."""
    return [opening(f"{name}{number}") for number in range(count)]


def reserved(name: str, count: int) -> list[tuple[str, dict[str, object]]]:
    """One reservation on each of these spaces."""
    return [(f"/booking/spaces/{name}{number}/reservations", dict(RESERVATION)) for number in range(count)]


def post_all(url: str, wanted: list[tuple[str, dict[str, object]]]) -> None:
    """Post all of them, each exactly once and accepted; raises NotOpened."""
    try:
        asyncio.run(_post_all(url, wanted))
    except ExceptionGroup as group:
        raise NotOpened(str(group.exceptions[0])) from group


async def _post_all(url: str, wanted: list[tuple[str, dict[str, object]]]) -> None:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session:
        shared = iter(wanted)
        async with asyncio.TaskGroup() as group:
            for _ in itertools.repeat(None, CONNECTIONS):
                group.create_task(_post_some(session, shared))


async def _post_some(session: aiohttp.ClientSession, wanted: Iterator[tuple[str, dict[str, object]]]) -> None:
    for path, body in wanted:
        data = json.dumps(body).encode()
        async with session.post(path, data=data, headers={"Content-Type": "application/json"}) as answer:
            if answer.status != 201:
                raise NotOpened(f"POST {path}: {answer.status} {(await answer.text())[:200]}")
