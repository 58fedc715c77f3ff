"""Workers come, go and are replaced under load, and no client's request fails."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec

from gateway.booking_client import BookingClient, Outcome
from gateway.calendar_items import Occurrence
from tests.acceptance.theatre import SPACE, ask_file, journal_of, reservation
from tests.chaos.cluster.cluster import clustered
from tests.gateway.running import butai, running

SPACES = [f"s{number}" for number in range(12)]


class Load:
    """Clients that begin a connection for each request, as curl does, and never try again."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = urls
        self.statuses: Counter[int] = Counter()
        self.failed: list[str] = []
        self.without_advice = 0
        """Answers 503 that do not say when to try again."""
        self.accepted: list[str] = []

    async def run(self, client: int, stop: asyncio.Event) -> None:
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            number = 0
            while not stop.is_set():
                space = SPACES[(client + number) % len(SPACES)]
                body = reservation(number * 8 + client)
                try:
                    url = self.urls[number % len(self.urls)]
                    async with session.post(
                        f"{url}/booking/spaces/{space}/reservations", json=body
                    ) as answer:
                        await answer.read()
                        self.statuses[answer.status] += 1
                        if answer.status == 201:
                            self.accepted.append(f"{space}/{body['reservation']}")
                        elif answer.status == 503 and "Retry-After" not in answer.headers:
                            self.without_advice += 1
                except (aiohttp.ClientError, TimeoutError) as error:
                    self.failed.append(repr(error))
                number += 1
                await asyncio.sleep(0.005)


async def book(url: str, space: str, stop: asyncio.Event) -> Counter[Outcome]:
    """What the bundled client makes of it, which tries again."""
    outcomes: Counter[Outcome] = Counter()
    start = datetime(2040, 1, 1, tzinfo=UTC)
    async with BookingClient(url, space) as client:
        while not stop.is_set():
            start += timedelta(hours=1)
            occurrence = Occurrence(
                "uid", f"b{start:%j%H}", start, start + timedelta(hours=1), "a talk", "bea"
            )
            outcome, _ = await client.reserve(occurrence)
            outcomes[outcome] += 1
            await asyncio.sleep(0.01)
    return outcomes


@asynccontextmanager
async def under_load(*urls: str) -> AsyncIterator[Load]:
    """Six plain clients and two bundled ones, from before the body until after it; none may fail."""
    async with aiohttp.ClientSession() as session:
        for space in SPACES:
            async with session.post(f"{urls[0]}/booking/spaces/{space}", json=SPACE) as opened:
                assert opened.status in (200, 201)
    load, stop = Load(urls), asyncio.Event()
    plain = [asyncio.create_task(load.run(client, stop)) for client in range(6)]
    bundled = [asyncio.create_task(book(urls[-1], space, stop)) for space in SPACES[:2]]
    try:
        await asyncio.sleep(0.3)
        yield load
        await asyncio.sleep(0.3)
    finally:
        stop.set()
        await asyncio.gather(*plain)
        outcomes = sum(await asyncio.gather(*bundled), Counter[Outcome]())
    assert set(outcomes) == {Outcome.RESERVED}
    assert load.failed == []
    assert set(load.statuses) <= {200, 201, 503}
    assert load.without_advice == 0
    assert load.statuses[201] > 100


def reserved(rows: Iterable[tuple[str, bytes]]) -> Counter[str]:
    """How often each reservation was made, as ``space/reservation``, by the events of that kind."""
    return Counter(f"{id}/{msgspec.msgpack.decode(data)['reservation']}" for id, data in rows)


async def operate(folder: Path, *command: str) -> dict[str, object]:
    """An operator's command while the load goes on."""
    result = await asyncio.to_thread(butai, folder, *command, "--json")
    assert result.returncode == 0, result.stderr
    told: dict[str, object] = json.loads(result.stdout)
    return told


async def test_nothing_fails_while_workers_are_replaced_added_and_taken_away(tmp_path: Path) -> None:
    with running(tmp_path, "--set", "workers=2") as node:
        async with under_load(node.url) as load:
            first = await operate(tmp_path, "status")
            await operate(tmp_path, "rolling-restart")
            await operate(tmp_path, "scale", "3")
            now = await operate(tmp_path, "status")
            workers = now["workers"]
            assert isinstance(workers, list)
            assert len(workers) == 3
            await operate(tmp_path, "drain", workers[0]["worker"])
            last = await operate(tmp_path, "status")
        assert node.stop() == 0
    before, after = (
        {worker["worker"] for worker in found["workers"]}  # type: ignore[attr-defined]
        for found in (first, last)
    )
    assert len(after) == 2
    assert before.isdisjoint(after)
    rows = ask_file(journal_of(tmp_path, "booking"), "SELECT id, data FROM events WHERE type = 'Reserved'")
    found = reserved(rows)
    assert set(found.values()) == {1}
    assert set(load.accepted) <= set(found)


async def test_nothing_fails_while_three_nodes_are_restarted_one_worker_after_the_other(
    tmp_path: Path,
) -> None:
    async with clustered(tmp_path, (1, 1, 1)) as cluster:
        async with under_load(*(node.url for node in cluster.nodes)) as load:
            before = {worker["worker"] for worker in (await cluster.survey())["workers"]}
            await cluster.operate("rolling-restart")
            after = {worker["worker"] for worker in (await cluster.survey())["workers"]}
        assert len(after) == 3
        assert before.isdisjoint(after)
        found = reserved((row.id, row.data) for row in await cluster.stored() if row.type == "Reserved")
        await cluster.stop()
    assert set(found.values()) == {1}
    assert set(load.accepted) <= set(found)
