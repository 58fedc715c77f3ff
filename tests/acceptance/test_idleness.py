"""An entity leaves memory when nobody needs it, and nobody notices (case 6)."""

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from tests.acceptance.client import Client, Reply
from tests.acceptance.theatre import playing, until
from tests.gateway.running import Running

IDLE = 0.1
"""Seconds after which an entity may leave; it is looked for four times as often."""
QUEUE = 200
MILLISECONDS = 15
ROOMS = 24
PASSIVATIONS = 150


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = (f"entities.idle={IDLE}", "entities.snapshot_every=10")
    with playing(tmp_path_factory.mktemp("restless"), *settings) as node:
        yield node


async def passivated(client: Client) -> int:
    return int(await client.metric('butai_entities_passivated_total{context="stagehand"}'))


async def test_an_entity_with_a_long_queue_is_not_idle(client: Client) -> None:
    """Its last command was sent thirty times the limit ago when it is decided."""
    path, before = "/stagehand/props/bed", await passivated(client)
    work = {"milliseconds": MILLISECONDS}
    replies = await asyncio.gather(*[client.post(f"{path}/doze", work, wait=60) for _ in range(QUEUE)])
    assert {reply.accepted().version for reply in replies} == set(range(1, QUEUE + 1))

    async def left() -> bool:
        return await passivated(client) == before + 1

    await until(left)
    assert (await client.post(path, {"where": "home"})).accepted().version == QUEUE + 1
    assert (await client.get(path)).json["state"] == {"where": "home", "rests": QUEUE}


async def test_a_command_that_lands_at_passivation_is_served(client: Client) -> None:
    before = await passivated(client)
    for turn in itertools.count(1):
        replies = await asyncio.gather(*[visit(client, room, turn) for room in range(ROOMS)])
        assert [reply.accepted().version for reply in replies] == [turn] * ROOMS
        if await passivated(client) >= before + PASSIVATIONS:
            break
    for room in range(ROOMS):
        events = await client.history(f"/stagehand/props/room{room}")
        assert [event["data"]["where"] for event in events] == [str(number + 1) for number in range(turn)]


async def visit(client: Client, room: int, turn: int) -> Reply:
    """A command at about the time when its entity leaves, each turn at another moment of it."""
    moment = (room * 7 + turn * 5) % ROOMS / ROOMS
    await asyncio.sleep(IDLE * (0.95 + 0.4 * moment))
    return await client.post(f"/stagehand/props/room{room}", {"where": str(turn)})
