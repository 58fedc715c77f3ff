"""Whatever two workers do in whatever order, PostgreSQL answers as the reference does."""

import asyncio
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.journal.memory import MemoryJournal
from actors.journal.postgres import PostgresJournal
from tests.actors.journal import test_same_as_reference as reference
from tests.actors.journal.postgres.server import Server
from tests.actors.journal.test_same_as_reference import Reopen, Take, Worker, Write, learn, same

_numbers = count(1)


async def run(steps: list[Take | Write | Reopen], url: str, context: str) -> None:
    memory = MemoryJournal(reference.SHARDS)
    journals = [await PostgresJournal.open(url, context, reference.SHARDS) for _ in range(2)]
    workers = [Worker(), Worker()]
    try:
        for step in steps:
            match step:
                case Take(number, shards):
                    claims = await journals[number].claim(shards, f"worker {number}")
                    assert claims == await memory.claim(shards, f"worker {number}")
                    await learn(workers[number], memory, claims)
                case Write(number):
                    rows, epochs, snapshots = workers[number].batch(step)
                    fenced = await journals[number].append(rows, epochs, snapshots)
                    assert fenced == await memory.append(rows, epochs, snapshots)
                    workers[number].accepted(rows, fenced)
                case Reopen():
                    journals.reverse()
        await same(journals[0], memory)
        await same(journals[1], memory)
    finally:
        await asyncio.gather(*(journal.close() for journal in journals))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(reference._steps, max_size=12))
def test_postgresql_answers_as_the_reference_does(server: Server, steps: list[Take | Write | Reopen]) -> None:
    asyncio.run(run(steps, server.url(), f"reference-{next(_numbers)}"))
