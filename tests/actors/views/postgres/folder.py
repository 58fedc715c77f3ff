"""A process that folds a seeded history until it is killed; what the tests of crashes start.

It goes on where the store says that it is, and writes a line after each transaction."""

import asyncio
import random
import sys

from actors.views.postgres import PostgresViews
from tests.actors.views.documents import CARDS
from tests.actors.views.postgres.history import history, piece

SHARDS = 4
LENGTH = 3_000


async def fold(url: str, context: str, seed: int) -> None:
    """All that is missing."""
    store = await PostgresViews.open(url, context)
    await store.prepare([CARDS.shape])
    places = (await store.places()).get(1, {})
    at = {shard: places[shard].seq if shard in places else 0 for shard in range(SHARDS)}
    events = {shard: history(seed, shard, LENGTH) for shard in range(SHARDS)}
    chance = random.Random(str(at))
    while min(at.values()) < LENGTH:
        behind = [shard for shard in at if at[shard] < LENGTH]
        shards = chance.sample(behind, chance.randint(1, len(behind)))
        works = [piece(events[shard], shard, at[shard], chance.randint(1, 20)) for shard in shards]
        for work, done in zip(works, await store.project(works), strict=True):
            assert done.failure is None
            at[work.shard] = done.seq
        sys.stdout.write("folded\n")
        sys.stdout.flush()
    await store.close()


if __name__ == "__main__":
    asyncio.run(fold(sys.argv[1], sys.argv[2], int(sys.argv[3])))
