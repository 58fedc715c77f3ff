"""Clients that hang up cost nobody anything: each of their commands is wholly done, or not at all."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

from contexts.booking.commands import Reserve
from tests.chaos.checker import Evidence, check, report
from tests.chaos.clients import Call, Client
from tests.chaos.gateways import only
from tests.chaos.hang_ups import hang_up
from tests.chaos.history import History
from tests.chaos.load import MONDAY, OPENING, Load, Plan
from tests.chaos.stored import stored
from tests.gateway.running import Running, eventually, running

IN_FLIGHT = "butai_http_requests_in_flight"
CONNECTIONS = "butai_http_connections"
HANG_UPS = 2_000
AT_ONCE = 50
SPACES = 40
SLOTS = HANG_UPS // SPACES * 3 // 4
"""Hours per space: every fourth command meets a reservation and is refused."""


def calls() -> list[Call]:
    """A reservation each, in one of the spaces' slots."""
    made = []
    for number in range(HANG_UPS):
        space, slot = f"left-{number % SPACES}", number // SPACES % SLOTS
        start = MONDAY + timedelta(hours=slot)
        name = f"{space}-{number}"
        made.append(Call(space, Reserve(name, name, 4, start, start + timedelta(hours=1)), f"left-{number}"))
    return made


def gauge(node: Running, name: str) -> float:
    """A gauge of the worker, asked now."""
    text = node.call("GET", "/metrics")[1].decode()
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


async def leave(node: Running, history: History, made: list[Call], rng: random.Random) -> None:
    """Every call by a client that hangs up, 50 at a time."""
    waiting = iter(made)

    async def one_after_the_other() -> None:
        for call in waiting:
            await hang_up(node.host, node.port, call, history, rng)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_after_the_other())


async def ask_again(client: Client, made: list[Call], rng: random.Random) -> list[bool]:
    """The answers to the same keys, once each: whether it is the answer to the first request."""
    waiting = iter(made)
    replayed: list[bool] = []

    async def one_after_the_other() -> None:
        for call in waiting:
            operation = await client.tell(call.space, call.command, call.key, rng)
            assert operation.answer is not None
            assert operation.answer.status in (201, 409), operation.answer
            replayed.append(operation.answer.replayed)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_after_the_other())
    return replayed


async def test_a_hang_up_leaves_a_command_wholly_done_or_not_at_all(tmp_path: Path) -> None:
    rng, history, made = random.Random(28), History(), calls()
    with running(tmp_path) as node:
        gateways = only(lambda: node.url)
        async with gateways.session() as session:
            client = Client("steady", history, gateways, session)
            for number in range(SPACES):
                await client.tell(f"left-{number}", OPENING, client.new_key(), rng)
            await leave(node, history, made, rng)
            assert await asyncio.to_thread(eventually, lambda: gauge(node, IN_FLIGHT) == 0)
            # Its own and the session's.
            assert await asyncio.to_thread(eventually, lambda: gauge(node, CONNECTIONS) <= 2)
            replayed = await ask_again(client, made, rng)
        after = Load(Plan(seed=28, commands=300), history, gateways)
        await after.open()
        await after.run()
        assert await asyncio.to_thread(node.stop) == 0, node.log.read_text()
    assert sum(replayed) > HANG_UPS // 2, "hanging up must not undo what was sent"
    evidence = Evidence(
        history.operations, await stored(tmp_path / "data" / "booking.sqlite"), history.origin
    )
    faults = check(evidence)
    assert not faults, report(evidence, faults)
    unanswered = [o for o in history.operations if o.answer is None]
    assert len(unanswered) == HANG_UPS, "somebody else went without an answer"
    assert {o.answer.status for o in history.operations if o.answer} <= {200, 201, 404, 409, 412, 422}
