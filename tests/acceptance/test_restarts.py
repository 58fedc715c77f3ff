"""What was answered before a worker ended is answered after it, byte for byte."""

import os
import signal
from pathlib import Path
from typing import NamedTuple

from tests.acceptance.client import Client, Reply, client_of
from tests.acceptance.theatre import SPACE, ask_file, journal_of, playing, reservation
from tests.gateway.running import Running, eventually

EVERY = "entities.snapshot_every=10"
ROOM = "/booking/spaces/attic"
COMMANDS = 25

HEADERS = ("Content-Type", "ETag", "Location")


class Seen(NamedTuple):
    """An answer without what may differ each time it is given."""

    status: int
    headers: tuple[str | None, ...]
    body: bytes


def seen(reply: Reply) -> Seen:
    return Seen(reply.status, tuple(map(reply.headers.get, HEADERS)), reply.body)


async def commands(client: Client) -> list[Reply]:
    """The same commands with the same keys, whenever this is called."""
    replies = [await client.post(ROOM, SPACE, Idempotency_Key="open")]
    for number in range(COMMANDS):
        key, body = f'"r-{number}"', reservation(number)
        replies.append(await client.post(f"{ROOM}/reservations", body, Idempotency_Key=key))
    replies.append(await client.request("DELETE", f"{ROOM}/reservations/r3", Idempotency_Key="cancel"))
    moved = {"start": "2031-01-01T10:00:00+02:00", "end": "2031-01-01T11:30:00+01:00"}
    replies.append(await client.post(f"{ROOM}/reservations/r4/reschedule", moved, Idempotency_Key="move"))
    return replies


async def queries(client: Client) -> list[Seen]:
    """All that can be asked of the room."""
    paths = [ROOM, f"{ROOM}?version=7", f"{ROOM}/events", f"{ROOM}/events?limit=5", f"{ROOM}/reservations/r4"]
    return [seen(await client.get(path)) for path in paths]


async def same_as_before(server: Running, answers: list[Seen], shown: list[Seen]) -> None:
    """Queries, retries of every command, and the next command."""
    async with client_of(server.url) as client:
        assert await queries(client) == shown
        again = await commands(client)
        assert [seen(reply) for reply in again] == answers
        assert {reply.headers["Idempotency-Replayed"] for reply in again} == {"true"}
        assert await queries(client) == shown


async def test_answers_outlive_a_killed_worker_and_an_orderly_restart(tmp_path: Path) -> None:
    with playing(tmp_path, EVERY) as server:
        async with client_of(server.url) as client:
            answers = [seen(reply.accepted()) for reply in await commands(client)]
            shown = await queries(client)
        assert {answer.status for answer in shown} == {200}
        worker = server.worker()
        os.kill(worker, signal.SIGKILL)
        assert eventually(lambda: server.serves() and server.worker() != worker)
        await same_as_before(server, answers, shown)
        assert server.stop() == 0
    last = ask_file(journal_of(tmp_path, "booking"), "SELECT version FROM snapshots WHERE id = 'attic'")
    assert last == [(len(answers),)], "its snapshot is of the last version"
    with playing(tmp_path, EVERY) as server:
        await same_as_before(server, answers, shown)
        async with client_of(server.url) as client:
            new = await client.post(f"{ROOM}/reservations", reservation(100))
            assert new.accepted().version == len(answers) + 1
