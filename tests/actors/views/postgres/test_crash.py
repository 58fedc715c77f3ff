"""A worker is killed in the middle of folding: what is stored is what a fresh replay comes to."""

import asyncio
import random
import sys
from pathlib import Path

import pytest

from actors.views.postgres import PostgresViews
from tests.actors.journal.postgres.server import Server
from tests.actors.views.documents import CARDS
from tests.actors.views.postgres import folder
from tests.actors.views.postgres.history import history, is_a_replay

SECONDS = 60.0
_ROOT = Path(__file__).parents[4]


async def killed(url: str, context: str, seed: int, transactions: int) -> None:
    """Start the process, and end it after so many transactions, wherever it is in the next."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.actors.views.postgres.folder", url, context, str(seed)),
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            for _ in range(transactions):
                assert await process.stdout.readline() == b"folded\n"
            # Within the time that a transaction takes, to the microsecond wherever it comes.
            await asyncio.sleep(random.Random(transactions).random() * 0.004)
    finally:
        process.kill()
        await process.wait()


async def check(server: Server, context: str, kills: int, seed: int) -> None:
    """Kill so often, look each time, and fold the rest."""
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    histories = {shard: history(seed, shard, folder.LENGTH) for shard in range(folder.SHARDS)}
    store = await PostgresViews.open(server.url(), context)
    await store.prepare([CARDS.shape])
    before = 0
    for _ in range(kills):
        await killed(server.url(), context, seed, chance.randint(1, 12))
        reached = sum((await is_a_replay(store, histories)).values())
        assert reached > before
        before = reached
    assert before < folder.LENGTH * folder.SHARDS  # it never came to the end by itself
    await folder.fold(server.url(), context, seed)
    assert await is_a_replay(store, histories) == dict.fromkeys(histories, folder.LENGTH)
    await store.close()


async def test_a_worker_that_is_killed_while_it_folds_leaves_a_replay(server: Server, context: str) -> None:
    await check(server, context, 3, seed=1)


@pytest.mark.chaos
async def test_a_worker_that_is_killed_twenty_times_leaves_a_replay(server: Server, context: str) -> None:
    await check(server, context, 20, random.randrange(1_000_000))
