"""Nobody sees what is not committed: while another program holds the journal's lock, decisions pile up, and
every answer that rests on them waits, or is void with them."""

import asyncio
from pathlib import Path

import pytest

from tests.acceptance.client import Client, Reply
from tests.acceptance.theatre import SPACE, journal_of, locked, reservation, until
from tests.gateway.running import Running

QUEUE = 10
"""Events that may wait for their commit on the impatient server."""

RIVAL = reservation(1, reservation="rival")
"""Overlaps reservation 1."""


@pytest.fixture(params=[True, False], ids=["patient", "impatient"])
def patient(request: pytest.FixtureRequest) -> bool:
    """Whether the server waits for the lock as long as it is held."""
    return bool(request.param)


@pytest.fixture
def server(patient: bool, shared_server: Running, impatient_server: Running) -> Running:
    return shared_server if patient else impatient_server


def file_of(server: Running, context: str) -> Path:
    return journal_of(server.log.parent, context)


async def in_flight(client: Client, count: int) -> None:
    """Wait until the server has so many requests, all read and told to their entities."""

    async def reached() -> bool:
        return await client.metric("butai_http_requests_in_flight") == count

    await until(reached)


async def started(client: Client, asks: list[asyncio.Task[Reply]], ask: asyncio.Task[Reply]) -> None:
    """Add an ask and wait until the server has it, so that asks arrive in order."""
    asks.append(ask)
    await in_flight(client, len(asks))


async def test_what_rests_on_an_uncommitted_event_waits_for_it_and_falls_with_it(
    client: Client, server: Running, patient: bool
) -> None:
    path = "/booking/spaces/glass"
    (await client.post(path, SPACE)).accepted()
    asks: list[asyncio.Task[Reply]] = []
    with locked(file_of(server, "booking")) as locker:
        task = asyncio.create_task
        await started(client, asks, task(client.post(f"{path}/reservations", reservation(1))))
        await started(client, asks, task(client.post(f"{path}/reservations", RIVAL)))
        await started(client, asks, task(client.get(path)))
        await started(client, asks, task(client.post(f"{path}/reservations", reservation(2), If_Match='"1"')))
        if patient:
            assert not any(ask.done() for ask in asks)
            locker.release()
        replies = await asyncio.gather(*asks)
    reserved, rival, shown, stale = replies
    if patient:
        assert (reserved.status, reserved.version) == (201, 2)
        assert (rival.status, rival.problem) == (409, "taken")
        assert (shown.status, shown.version) == (200, 2)
        assert (stale.status, stale.problem) == (412, "precondition-failed")
        assert (await client.get(path)).version == 2
    else:
        assert {(reply.status, reply.problem) for reply in replies} == {(503, "journal-unavailable")}
        assert (await client.get(path)).version == 1
        assert (await client.post(f"{path}/reservations", RIVAL)).accepted().version == 2


async def test_a_failure_does_not_take_along_what_was_decided_before_it(
    client: Client, server: Running, patient: bool
) -> None:
    path = "/stagehand/props/lamp"
    asks: list[asyncio.Task[Reply]] = []
    with locked(file_of(server, "stagehand")) as locker:
        await started(client, asks, asyncio.create_task(client.post(path, {"where": "desk"})))
        failed = await client.post(f"{path}/drop")
        assert (failed.status, failed.problem) == (500, "failed")
        await started(client, asks, asyncio.create_task(client.post(path, {"where": "shelf"}, wait=20)))
        if patient:
            locker.release()
            before, after = await asyncio.gather(*asks)
            assert (before.accepted().version, after.accepted().version) == (1, 2)
        else:
            assert (await asks[0]).problem == "journal-unavailable"
            locker.release()
            after = await asks[1]
            if after.status == 200:
                assert after.version == 1
            else:
                assert (after.status, after.problem) == (503, "journal-unavailable")
    expected = ["desk", "shelf"] if patient else ["shelf"] if after.status == 200 else []
    if expected:
        assert [event["data"]["where"] for event in await client.history(path)] == expected
    assert (await client.post(path, {"where": "box"})).accepted().version == len(expected) + 1


@pytest.mark.parametrize("patient", [False], indirect=True)
async def test_a_full_commit_queue_refuses_at_once(client: Client, impatient_server: Running) -> None:
    with locked(file_of(impatient_server, "stagehand")) as locker:
        replies = await asyncio.gather(
            *[client.post(f"/stagehand/props/tile{number}", {"where": "roof"}) for number in range(3 * QUEUE)]
        )
        refusals = [reply.problem for reply in replies]
        assert refusals.count("overloaded") >= QUEUE
        assert refusals.count("journal-unavailable") >= QUEUE
        assert set(refusals) == {"overloaded", "journal-unavailable"}
        locker.release()
    for number in range(3 * QUEUE):
        reply = await client.post(f"/stagehand/props/tile{number}", {"where": "roof"})
        assert reply.accepted().version == 1
