"""A shard in which too many entities are quarantined is restarted as a whole, while others are served."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.acceptance.client import Client
from tests.acceptance.theatre import playing, until
from tests.gateway.running import Running

RESTARTS = 50
CLIENTS = 24


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One shard, and no patience with failures."""
    limits = ("shards=1", "supervision.failures=1", "supervision.quarantines=2")
    with playing(tmp_path_factory.mktemp("escalation"), *limits) as node:
        yield node


class Load:
    """A client that asks again until it is accepted, and goes on."""

    def __init__(self, client: Client, number: int, stop: asyncio.Event) -> None:
        self.path = f"/stagehand/props/brick{number}"
        self.accepted = 0
        self._client = client
        self._stop = stop

    async def run(self) -> None:
        while not self._stop.is_set():
            reply = await self._client.post(self.path, {"where": str(self.accepted)})
            if reply.status == 200:
                self.accepted += 1
            else:
                assert reply.problem in ("moved", "overloaded")


async def fails(client: Client, path: str) -> None:
    """Let a command hit its bug."""

    async def failed() -> bool:
        reply = await client.post(f"{path}/drop")
        return reply.status == 500 and reply.problem == "failed"

    await until(failed, 2.0)


async def test_a_restarted_shard_serves_on_under_load(client: Client) -> None:
    stop = asyncio.Event()
    loads = [Load(client, number, stop) for number in range(CLIENTS)]
    tasks = [asyncio.create_task(load.run()) for load in loads]
    try:
        for restart in range(RESTARTS):
            await fails(client, f"/stagehand/props/glass{restart}-0")
            await fails(client, f"/stagehand/props/glass{restart}-1")
    finally:
        stop.set()
        await asyncio.gather(*tasks)

    async def ready() -> bool:
        return (await client.get("/readyz")).status == 200

    await until(ready)
    for load in loads:
        told = [event["data"]["where"] for event in await client.history(load.path)]
        assert told == [str(number) for number in range(load.accepted)]
        assert (await client.post(load.path, {"where": "top"})).accepted().version == load.accepted + 1
    for restart in range(RESTARTS - 1):
        (await client.post(f"/stagehand/props/glass{restart}-1", {"where": "sill"})).accepted()
