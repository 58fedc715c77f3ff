"""One space that everybody wants: its versions are contiguous and its answers tell one story."""

import asyncio

from tests.acceptance.client import Client, Reply, as_answered
from tests.acceptance.theatre import SPACE, reservation

CONNECTIONS = 64
COMMANDS = 2000
ROUNDS = 12
WRITERS = 16


async def test_thousands_of_commands_from_many_connections_make_one_contiguous_history(
    client: Client,
) -> None:
    path = "/booking/spaces/hot"
    (await client.post(path, SPACE)).accepted()
    numbers = iter(range(COMMANDS))
    replies: dict[int, Reply] = {}

    async def book() -> int:
        """The versions one client sees only ever grow."""
        last = 1
        for number in numbers:
            reply = replies[number] = await client.post(f"{path}/reservations", reservation(number))
            assert reply.status == 201, reply
            assert reply.version > last
            last = reply.version
            if number % 50 == 0:
                assert (await client.get(path)).version >= last
        return last

    await asyncio.gather(*[book() for _ in range(CONNECTIONS)])
    events = await client.history(path)
    assert [event["version"] for event in events] == list(range(1, COMMANDS + 2))
    for number, reply in replies.items():
        (event,) = reply.json["events"]
        assert event == as_answered(events[reply.version - 1])
        assert event["data"]["reservation"] == f"r{number}"
    positions = [int(reply.json["position"].partition(":")[2]) for reply in replies.values()]
    assert len(set(positions)) == COMMANDS
    state = await client.get(path)
    assert state.version == COMMANDS + 1
    assert len(state.json["state"]["reservations"]) == COMMANDS


async def test_of_writers_that_saw_the_same_version_exactly_one_wins(client: Client) -> None:
    path = "/booking/spaces/contested"
    etag = (await client.post(path, SPACE)).accepted().headers["ETag"]
    for round in range(ROUNDS):
        replies = await asyncio.gather(
            *[
                client.post(f"{path}/reservations", reservation(round * WRITERS + writer), If_Match=etag)
                for writer in range(WRITERS)
            ]
        )
        (winner,) = [reply for reply in replies if reply.status == 201]
        losers = [reply for reply in replies if reply is not winner]
        assert {(reply.status, reply.problem) for reply in losers} == {(412, "precondition-failed")}
        etag = winner.headers["ETag"]
        assert (await client.get(path)).headers["ETag"] == etag
    assert [event["version"] for event in await client.history(path)] == list(range(1, ROUNDS + 2))


async def test_of_creators_that_insist_on_being_first_exactly_one_is(client: Client) -> None:
    for round in range(ROUNDS):
        path = f"/booking/spaces/founded{round}"
        replies = await asyncio.gather(*[client.post(path, SPACE, If_None_Match="*") for _ in range(WRITERS)])
        statuses = sorted(reply.status for reply in replies)
        assert statuses == [201] + [412] * (WRITERS - 1)


async def test_of_guests_that_want_the_same_slot_exactly_one_gets_it(client: Client) -> None:
    path = "/booking/spaces/popular"
    (await client.post(path, SPACE)).accepted()
    for round in range(ROUNDS):
        wishes = [reservation(round, reservation=f"w{round}-{writer}") for writer in range(WRITERS)]
        replies = await asyncio.gather(*[client.post(f"{path}/reservations", wish) for wish in wishes])
        (winner,) = [reply for reply in replies if reply.status == 201]
        losers = [reply for reply in replies if reply is not winner]
        assert {(reply.status, reply.problem) for reply in losers} == {(409, "taken")}
        assert winner.version == round + 2
    assert len(await client.history(path)) == ROUNDS + 1
