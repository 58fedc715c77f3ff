"""Several workers fold into one store at once."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from actors.views.port import Done, Place, Wanted
from actors.views.postgres import PostgresViews, folds
from tests.actors.journal.postgres.server import Server
from tests.actors.views.documents import CARDS, Count, Fail, Pass, work
from tests.actors.views.postgres.history import history, is_a_replay, piece

SHARDS = 4
LENGTH = 120


@pytest.fixture
async def stores(server: Server, context: str) -> AsyncIterator[list[PostgresViews]]:
    made = await asyncio.gather(*(PostgresViews.open(server.url(), context) for _ in range(2)))
    await asyncio.gather(*(store.prepare([CARDS.shape]) for store in made))
    yield made
    await asyncio.gather(*(store.close() for store in made))


@pytest.mark.parametrize("seed", range(4))
async def test_shards_of_two_workers_that_share_documents_come_to_a_replay(
    stores: list[PostgresViews], seed: int
) -> None:
    histories = {shard: history(seed, shard, LENGTH) for shard in range(SHARDS)}

    async def fold(shard: int) -> None:
        chance = random.Random(f"{seed} of {shard}")
        seq = 0
        while seq < LENGTH:
            part = piece(histories[shard], shard, seq, chance.randint(1, 9))
            [done] = await stores[shard % 2].project([part])
            assert done == Done(seq + len(part.rows))
            seq = done.seq

    await asyncio.gather(*map(fold, range(SHARDS)))
    assert await is_a_replay(stores[0], histories) == dict.fromkeys(range(SHARDS), LENGTH)


async def test_workers_that_both_believe_in_all_shards_come_to_a_replay(stores: list[PostgresViews]) -> None:
    histories = {shard: history(7, shard, LENGTH) for shard in range(SHARDS)}

    async def fold(store: PostgresViews, seed: int) -> int:
        chance = random.Random(seed)
        at = dict.fromkeys(range(SHARDS), 0)
        moved = 0
        while min(at.values()) < LENGTH:
            shards = chance.sample(range(SHARDS), 2)
            works = [piece(histories[shard], shard, at[shard], chance.randint(1, 9)) for shard in shards]
            for one, done in zip(works, await store.project(works), strict=True):
                at[one.shard] = done.seq
                moved += done.moved
        return moved

    moved = await asyncio.gather(*(fold(store, seed) for seed, store in enumerate(stores)))
    assert await is_a_replay(stores[1], histories) == dict.fromkeys(range(SHARDS), LENGTH)
    assert sum(moved) > 0  # they did get in each other's way


async def test_a_worker_that_is_refused_goes_on_with_locks(
    stores: list[PostgresViews], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = stores
    load = folds._load
    locks: list[bool] = []

    async def and_meanwhile(session: object, wanted: dict[int, list[str]], *, locked: bool) -> object:
        found = await load(session, wanted, locked=locked)  # type: ignore[arg-type]
        locks.append(locked)
        if len(locks) == 1:
            await other.project([work(Count(["a"]), shard=2)])
        return found

    monkeypatch.setattr(folds, "_load", and_meanwhile)
    [done] = await one.project([work(Count(["a"]), shard=1)])
    assert done.seq == 1
    assert locks == [False, False, True]
    assert (one.refused, other.refused) == (1, 0)
    reading = await one.read([Wanted("cards", keys=("a",))])
    assert reading.standings["cards"].positions == {1: 1, 2: 1}
    assert b'"folds":2' in (reading.pages[0].found[0].document or b"")


async def test_a_position_that_another_worker_has_moved_is_found_out_when_nothing_else_changes(
    stores: list[PostgresViews],
) -> None:
    """No document tells of it; only the position does."""
    one, other = stores
    assert await one.project([work(Pass())]) == [Done(1)]
    assert await other.project([work(Pass(), Pass(), Pass(), after=1)]) == [Done(4)]
    assert await one.project([work(Pass(), after=1)]) == [Done(4, moved=True)]
    assert (one.refused, await one.places()) == (1, {1: {0: Place(4)}})


async def test_an_event_that_fails_only_because_another_worker_has_folded_it_is_no_failure(
    stores: list[PostgresViews],
) -> None:
    one, other = stores
    assert await one.project([work(Pass())]) == [Done(1)]
    assert await other.project([work(Pass(), after=1)]) == [Done(2)]
    assert await one.project([work(Fail(["a"]), after=1)]) == [Done(2, moved=True)]
