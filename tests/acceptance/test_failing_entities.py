"""Bugs in a context: the caller is told, the entity goes on, and one that fails too often is set apart."""

import asyncio
import itertools
from operator import itemgetter

import pytest

from tests.acceptance.client import Client, Reply, as_answered
from tests.gateway.running import Running

FAILURES = 3
"""After so many the shared server sets an entity apart."""


def shard(reply: Reply) -> str:
    """What a position says of the shard."""
    return str(reply.json["position"]).partition(":")[0]


async def neighbour(client: Client, wanted: str) -> str:
    """The path of a new entity of that shard."""
    for number in itertools.count():
        path = f"/stagehand/props/neighbour{number}"
        if shard((await client.post(path, {"where": "door"})).accepted()) == wanted:
            return path
    raise AssertionError


async def test_a_command_that_raises_is_named_and_its_entity_goes_on(client: Client) -> None:
    assert (await client.post("/stagehand/props/vase", {"where": "table"})).version == 1
    for number, (path, name) in enumerate([("drop", "Drop"), ("jam", "Jam")]):
        failed = await client.post(f"/stagehand/props/vase/{path}")
        assert (failed.status, failed.problem) == (500, "failed")
        assert name in failed.detail
        assert "Broken" not in failed.body.decode()
        state = await client.get("/stagehand/props/vase")
        assert (state.version, state.json["state"]["where"]) == (number + 1, "table" if number == 0 else "0")
        moved = await client.post("/stagehand/props/vase", {"where": str(number)})
        assert moved.accepted().version == number + 2


@pytest.mark.parametrize("way", ["quit", "faint"])
async def test_a_command_that_raises_what_is_no_exception_harms_no_one_else(
    way: str, client: Client, server: Running
) -> None:
    path, worker = f"/stagehand/props/sword-{way}", server.worker()
    assert (await client.post(path, {"where": "belt"})).version == 1
    failed = await client.post(f"{path}/{way}", wait=1)
    assert server.worker() == worker
    state = await client.get(path)
    assert (state.version, state.json["state"]["where"]) == (1, "belt")
    assert (await client.post(path, {"where": "hand"})).version == 2
    assert (failed.status, failed.problem) == (500, "failed")
    assert way.title() in failed.detail


async def test_what_was_decided_around_a_failure_stands(client: Client) -> None:
    path = "/stagehand/props/candle"
    placings = [client.post(path, {"where": f"shelf {i}"}) for i in range(40)]
    commands = [*placings[:20], client.post(f"{path}/drop"), *placings[20:]]
    replies = await asyncio.gather(*commands)
    failed = replies.pop(20)
    assert (failed.status, failed.problem) == (500, "failed")
    assert sorted(reply.accepted().version for reply in replies) == list(range(1, 41))
    stored = {event["version"]: event["data"]["where"] for event in await client.history(path)}
    assert stored == {reply.version: reply.json["events"][0]["data"]["where"] for reply in replies}


async def test_an_entity_that_fails_too_often_is_quarantined_alone(client: Client, server: Running) -> None:
    path = "/stagehand/props/mirror"
    first = await client.post(path, {"where": "wall"})
    other = await neighbour(client, shard(first.accepted()))
    for _ in range(FAILURES):
        failed = await client.post(f"{path}/drop")
        assert (failed.status, failed.problem) == (500, "failed")
    for refused in (await client.post(path, {"where": "floor"}), await client.get(path)):
        assert (refused.status, refused.problem) == (503, "quarantined")
    for version in range(2, 6):
        assert (await client.post(other, {"where": "door"})).accepted().version == version
    assert [event["data"]["where"] for event in await client.history(path)] == ["wall"]
    assert (await client.get(f"{path}?version=1")).json["state"]["where"] == "wall"
    assert await client.metric('butai_entities_quarantined{context="stagehand"}') >= 1
    log = server.log.read_text().splitlines()
    (line,) = [line for line in log if "entity=prop/mirror " in line and "Quarantine" in line]
    assert " ERROR " in line


async def test_a_queue_in_front_of_a_quarantine_is_answered_to_the_last(client: Client) -> None:
    path = "/stagehand/props/bell"
    first = await client.post(path, {"where": "tower"})
    commands = [
        client.post(f"{path}/drop", {}) if number % 9 == 8 else client.post(path, {"where": f"hook {number}"})
        for number in range(90)
    ]
    replies = await asyncio.gather(*commands)
    failures = [reply for reply in replies if reply.status == 500]
    accepted = [first, *[reply for reply in replies if reply.status == 200]]
    refused = [reply for reply in replies if reply.status == 503]
    assert len(failures) == FAILURES
    assert {reply.problem for reply in failures} == {"failed"}
    assert {reply.problem for reply in refused} == {"quarantined"}
    assert len(failures) + len(accepted) + len(refused) == len(replies) + 1
    told = sorted((event for reply in accepted for event in reply.json["events"]), key=itemgetter("version"))
    assert [as_answered(event) for event in await client.history(path)] == told
