"""Another program locks the journal: commands wait for it; one that cannot wait any longer is told so."""

import asyncio
from collections.abc import AsyncIterator
from itertools import chain

import pytest

from tests.acceptance.client import Client, client_of
from tests.acceptance.theatre import (
    SPACE,
    journal_of,
    locked,
    locked_again_and_again,
    reservation,
    until,
)
from tests.gateway.running import Running

TIMES = 2


@pytest.fixture
def server(impatient_server: Running) -> Running:
    return impatient_server


@pytest.fixture
async def patient(shared_server: Running) -> AsyncIterator[Client]:
    """Talks to a server that waits for locks as long as it does by default."""
    async with client_of(shared_server.url) as client:
        yield client


async def ready(client: Client) -> bool:
    return (await client.get("/readyz")).status == 200


async def test_fifty_clients_wait_out_a_lock_that_comes_again_and_again(
    patient: Client, shared_server: Running
) -> None:
    path, clients = "/booking/spaces/case13", 50
    (await patient.post(path, SPACE)).accepted()
    file = journal_of(shared_server.log.parent, "booking")
    with locked_again_and_again(file, times=TIMES, seconds=2.0) as locker:

        async def book(number: int) -> list[int]:
            versions = []
            while locker.poll() is None:
                reply = await patient.post(f"{path}/reservations", reservation(number))
                assert reply.status == 201, reply
                versions.append(reply.version)
                number += clients
            return versions

        versions = sorted(chain.from_iterable(await asyncio.gather(*map(book, range(clients)))))
    assert len(versions) >= TIMES * clients
    assert versions == list(range(2, 2 + len(versions)))
    assert [event["version"] for event in await patient.history(path)] == [1, *versions]
    assert "locked" not in shared_server.log.read_text()


async def test_a_deadline_in_the_middle_of_a_commit_leaves_the_outcome_open_and_a_retry_settles_it(
    patient: Client, shared_server: Running
) -> None:
    path, body = "/stagehand/props/harp", {"where": "orchestra"}
    with locked(journal_of(shared_server.log.parent, "stagehand")) as locker:
        first = await patient.post(path, body, wait=1, Idempotency_Key="harp-1")
        assert (first.status, first.problem) == (504, "outcome-unknown")
        assert "retry with the same key" in first.json["title"]
        locker.release()
    again = await patient.post(path, body, Idempotency_Key="harp-1")
    assert again.accepted().version == 1
    assert len(await patient.history(path)) == 1


async def test_a_lock_beyond_patience_is_told_and_nothing_was_done(client: Client, server: Running) -> None:
    path = "/booking/spaces/locked"
    (await client.post(path, SPACE)).accepted()
    (await client.post(f"{path}/reservations", reservation(1))).accepted()
    before = await client.get(path)
    with locked(journal_of(server.log.parent, "booking")) as locker:
        refused = await asyncio.gather(
            *[client.post(f"{path}/reservations", reservation(number), wait=20) for number in range(2, 7)]
        )
        for reply in refused:
            assert (reply.status, reply.problem) == (503, "journal-unavailable")
        assert (await client.get(path)).body == before.body
        red = await client.get("/readyz")
        assert (red.status, red.problem) == (503, "not-ready")
        assert "booking" in red.detail
        assert "lock" in red.detail
        assert (await client.post("/stagehand/props/other", {"where": "free"})).accepted()
        locker.release()
    for number in range(2, 7):
        (await client.post(f"{path}/reservations", reservation(number))).accepted()
    assert [event["version"] for event in await client.history(path)] == list(range(1, 8))
    await until(lambda: ready(client))
