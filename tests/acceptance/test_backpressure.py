"""Every limit that is reached is told at once, and what was refused was not done."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.acceptance.client import Client, Reply
from tests.acceptance.theatre import journal_of, locked, playing, until
from tests.gateway.running import Running

MAILBOX = 4
IN_FLIGHT = 40
ACTIVE = 128


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    limits = (
        f"entities.mailbox={MAILBOX}",
        f"entities.active={ACTIVE}",
        f"gateway.in_flight={IN_FLIGHT}",
    )
    with playing(tmp_path_factory.mktemp("limits"), *limits) as node:
        yield node


async def in_flight(client: Client) -> int:
    return int(await client.metric("butai_http_requests_in_flight"))


async def test_a_full_mailbox_refuses_at_once(client: Client) -> None:
    path = "/stagehand/props/drum"
    order: list[Reply] = []

    async def doze() -> None:
        order.append(await client.post(f"{path}/doze", {"milliseconds": 50}, wait=30))

    await client.post(path, {"where": "pit"})
    await asyncio.gather(*[doze() for _ in range(IN_FLIGHT - 5)])
    refused = [reply for reply in order if reply.status != 200]
    accepted = [reply for reply in order if reply.status == 200]
    assert len(accepted) >= MAILBOX
    assert {(reply.status, reply.problem) for reply in refused} == {(503, "mailbox-full")}
    assert order[-1].status == 200, "those in the queue are served long after the others were refused"
    assert len(await client.history(path)) == 1 + len(accepted)


async def test_a_full_worker_refuses_at_once_and_health_still_answers(
    client: Client, server: Running
) -> None:
    with locked(journal_of(server.log.parent, "stagehand")) as locker:
        held = [
            asyncio.create_task(client.post(f"/stagehand/props/chair{i}", {"where": "row"}))
            for i in range(IN_FLIGHT)
        ]

        async def full() -> bool:
            return await in_flight(client) == IN_FLIGHT

        await until(full)
        for refused in (
            await client.post("/stagehand/props/chair", {"where": "row"}),
            await client.post("/booking/spaces/hall/reservations", {}),
            await client.get("/booking/spaces/hall"),
        ):
            assert (refused.status, refused.problem) == (503, "overloaded")
        assert (await client.get("/healthz")).status == 200
        assert not any(task.done() for task in held)
        locker.release()
        assert {reply.accepted().version for reply in await asyncio.gather(*held)} == {1}
    assert (await client.post("/stagehand/props/chair", {"where": "row"})).version == 1


async def test_an_expired_command_is_refused_and_never_decided(client: Client) -> None:
    path = "/stagehand/props/clock"
    dozes = [
        asyncio.create_task(client.post(f"{path}{i}/doze", {"milliseconds": 250}, wait=30)) for i in range(12)
    ]
    await asyncio.wait(dozes, return_when=asyncio.FIRST_COMPLETED)
    late = await client.post("/stagehand/props/clock11", {"where": "tower"}, wait=1)
    assert (late.status, late.problem) == (503, "expired")
    for reply in await asyncio.gather(*dozes):
        reply.accepted()
    state = await client.get("/stagehand/props/clock11")
    assert (state.version, state.json["state"]["where"]) == (1, "")


async def test_a_key_in_flight_lets_the_second_wait_for_the_same_answer(
    client: Client, server: Running
) -> None:
    path, body = "/stagehand/props/flute", {"where": "case"}
    with locked(journal_of(server.log.parent, "stagehand")) as locker:
        twins = [
            asyncio.create_task(client.post(path, body, Idempotency_Key='"flute-1"')) for _ in range(MAILBOX)
        ]

        async def all_wait() -> bool:
            return await in_flight(client) == len(twins)

        await until(all_wait)
        other = await client.get("/booking/spaces/hall")
        assert (other.status, other.problem) == (404, "not-found")
        locker.release()
        replies = await asyncio.gather(*twins)
    assert {(reply.status, reply.body, reply.headers["ETag"]) for reply in replies} == {
        (200, replies[0].body, '"1"')
    }
    assert sum("Idempotency-Replayed" not in reply.headers for reply in replies) == 1
    assert len(await client.history(path)) == 1


async def test_health_is_answered_between_the_commands_of_a_busy_entity(client: Client) -> None:
    path = "/stagehand/props/organ"
    done: list[Reply] = []

    async def compute(number: int) -> None:
        done.append(await client.post(f"{path}{number}/compute", {"milliseconds": 100}, wait=30))

    work = asyncio.gather(*[compute(number) for number in range(12)])
    seen: set[int] = set()
    while not work.done():
        assert (await client.get("/healthz")).status == 200
        seen.add(len(done))
    await work
    assert {reply.accepted().version for reply in done} == {1}
    assert len(seen) >= 6, "the loop never waits for more than a command or two"


async def test_no_more_entities_live_than_may_and_nobody_notices(client: Client) -> None:
    """Beside those that may live there are at most those that are at work."""
    numbers, rounds = range(4 * ACTIVE), 3
    for round in range(1, rounds + 1):
        for first in range(0, len(numbers), IN_FLIGHT - 1):
            places = [
                client.post(f"/stagehand/props/seat{number}", {"where": f"row {round}"})
                for number in numbers[first : first + IN_FLIGHT - 1]
            ]
            assert {reply.accepted().version for reply in await asyncio.gather(*places)} == {round}
        assert 0 < await client.metric('butai_entities_active{context="stagehand"}') <= ACTIVE + IN_FLIGHT
    for number in numbers[::50]:
        assert (await client.get(f"/stagehand/props/seat{number}")).version == rounds
