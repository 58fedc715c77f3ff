"""What was answered before a worker ended is answered after it, byte for byte."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tests.acceptance.client import Client, Reply, client_of
from tests.acceptance.theatre import SPACE, ask_file, journal_of, playing, reservation
from tests.gateway.running import Running, eventually

EVERY = "entities.snapshot_every=10"
ROOM = "/booking/spaces/attic"
RESERVATIONS = 25

HEADERS = ("Content-Type", "ETag", "Location")


class Request(NamedTuple):
    """A command with its key."""

    key: str
    method: str
    path: str
    body: dict[str, Any] | None = None


class Seen(NamedTuple):
    """An answer without what may differ each time it is given."""

    status: int
    headers: tuple[str | None, ...]
    body: bytes


def seen(reply: Reply) -> Seen:
    return Seen(reply.status, tuple(map(reply.headers.get, HEADERS)), reply.body)


def script() -> list[Request]:
    """Commands of every kind."""
    moved = {"start": "2031-01-01T10:00:00+02:00", "end": "2031-01-01T11:30:00+01:00"}
    reservations = f"{ROOM}/reservations"
    return [
        Request("open", "POST", ROOM, SPACE),
        *[Request(f'"r-{n}"', "POST", reservations, reservation(n)) for n in range(RESERVATIONS)],
        Request("cancel", "DELETE", f"{reservations}/r3"),
        Request("move", "POST", f"{reservations}/r4/reschedule", moved),
    ]


async def send(client: Client, requests: list[Request]) -> list[Reply]:
    """One after the other; all are accepted."""
    return [
        (await client.request(method, path, body, Idempotency_Key=key)).accepted()
        for key, method, path, body in requests
    ]


async def outwait_a_hold(client: Client) -> list[Request]:
    """A hold, and a reservation of its slot when it has expired, which makes two events. Sent already."""
    expires = datetime.now(UTC) + timedelta(seconds=0.2)
    hold = reservation(200, reservation="hold", expires=expires.isoformat())
    wish = reservation(200, reservation="wish")
    sent = [
        Request("hold", "POST", f"{ROOM}/holds", hold),
        Request("wish", "POST", f"{ROOM}/reservations", wish),
    ]
    await send(client, sent[:1])
    while datetime.now(UTC) <= expires:
        await asyncio.sleep(0.01)
    (reply,) = await send(client, sent[1:])
    assert [event["type"] for event in reply.json["events"]] == ["Expired", "Reserved"]
    return sent


async def queries(client: Client) -> list[Seen]:
    """All that can be asked of the room."""
    paths = [ROOM, f"{ROOM}?version=7", f"{ROOM}/events", f"{ROOM}/events?limit=5", f"{ROOM}/reservations/r4"]
    return [seen(await client.get(path)) for path in paths]


async def same_as_before(
    server: Running, requests: list[Request], answers: list[Seen], shown: list[Seen]
) -> None:
    """Queries and the retry of every command, which changes nothing."""
    async with client_of(server.url) as client:
        assert await queries(client) == shown
        again = await send(client, requests)
        assert [seen(reply) for reply in again] == answers
        assert {reply.headers["Idempotency-Replayed"] for reply in again} == {"true"}
        assert await queries(client) == shown


async def test_answers_outlive_a_killed_worker_and_an_orderly_restart(tmp_path: Path) -> None:
    requests = script()
    with playing(tmp_path, EVERY) as server:
        async with client_of(server.url) as client:
            answers = [seen(reply) for reply in await send(client, requests)]
            requests += await outwait_a_hold(client)
            answers += [seen(reply) for reply in await send(client, requests[len(answers) :])]
            shown = await queries(client)
        assert {answer.status for answer in shown} == {200}
        last = len(requests) + 1
        assert shown[0].headers[1] == f'"{last}"'
        worker = server.worker()
        os.kill(worker, signal.SIGKILL)
        assert eventually(lambda: server.serves() and server.worker() != worker)
        await same_as_before(server, requests, answers, shown)
        assert server.stop() == 0
    journal = journal_of(tmp_path, "booking")
    assert ask_file(journal, "SELECT version FROM snapshots WHERE id = 'attic'") == [(last,)]
    with playing(tmp_path, EVERY) as server:
        await same_as_before(server, requests, answers, shown)
        async with client_of(server.url) as client:
            new = await client.post(f"{ROOM}/reservations", reservation(100))
            assert new.accepted().version == last + 1
