"""How soon a thousand followers of one worker have every event."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bench import served, spaces
from bench.cluster import Extent, Tell
from bench.views.visible import minute

FOLLOWERS = 1_000
AT_ONCE = 50


class NotFollowed(Exception):
    """A follower missed an event."""


def measure(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """Milliseconds from sending a command to each follower's having its event."""
    events = extent.count(10, 50, 100)
    with served.butai(folder / "data", folder / "node.log") as butai:
        spaces.post_all(butai.url, spaces.opened("followed", 1))
        found = asyncio.run(_follow(butai.url, events))
    tell(f"{len(found):,} messages to {FOLLOWERS:,} followers")
    return {"followers": found}


async def _follow(url: str, events: int) -> list[float]:
    at = urlsplit(url)
    sent: list[float] = []
    times: list[float] = []

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        writer.write(b"GET /booking/events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n")
        await reader.readuntil(b"retry: 1000\n\n")
        ready.release()
        try:
            for count in range(events):
                await asyncio.wait_for(reader.readuntil(b"event: Reserved\n"), 30)
                times.append((time.perf_counter() - sent[count]) * 1e3)
        finally:
            writer.close()

    ready = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        for number in range(FOLLOWERS):
            group.create_task(one(number))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0.01)
        for _ in range(FOLLOWERS):
            await ready.acquire()
        async with aiohttp.ClientSession(url) as session:
            for number in range(events):
                body = spaces.RESERVATION | {"reservation": f"r{number}"}
                body["start"], body["end"] = minute(number), minute(number + 1)
                sent.append(time.perf_counter())
                async with session.post("/booking/spaces/followed0/reservations", json=body) as answer:
                    if answer.status != 201:
                        raise NotFollowed(f"the command was answered with {answer.status}")
                await asyncio.sleep(0.2)
    return times
