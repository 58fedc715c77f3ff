"""Calls share transactions, and each is told what became of its own works."""

import asyncio
from collections.abc import Sequence

import pytest

from actors.views.port import Done, ViewsUnavailable, Work
from actors.views.postgres import queue
from actors.views.postgres.queue import FoldQueue
from tests.actors.views.documents import Count, work


class Held:
    """Folds as many transactions as it is let."""

    def __init__(self) -> None:
        self.transactions: list[list[int]] = []
        """The shards in each."""
        self.begun = asyncio.Event()
        self._permits = asyncio.Semaphore(0)

    async def fold(self, works: Sequence[Work]) -> list[Done]:
        self.transactions.append([one.shard for one in works])
        self.begun.set()
        await self._permits.acquire()
        return [Done(one.shard) for one in works]

    def let(self, transactions: int) -> None:
        for _ in range(transactions):
            self._permits.release()


@pytest.fixture
def held() -> Held:
    return Held()


def project(calls: FoldQueue, *shards: int) -> "asyncio.Task[list[Done]]":
    return asyncio.ensure_future(calls.project([work(Count(["a"]), shard=shard) for shard in shards]))


async def test_what_comes_while_a_transaction_is_under_way_goes_into_the_next_one(held: Held) -> None:
    calls = FoldQueue(held.fold)
    tasks = [project(calls, 1)]
    await held.begun.wait()
    tasks += [project(calls, 2, 3), project(calls), project(calls, 4)]
    held.let(9)
    assert await asyncio.gather(*tasks) == [[Done(1)], [Done(2), Done(3)], [], [Done(4)]]
    assert held.transactions == [[1], [2, 3, 4]]


async def test_calls_for_one_shard_go_one_after_the_other(held: Held) -> None:
    calls = FoldQueue(held.fold)
    tasks = [project(calls, 1)]
    await held.begun.wait()
    tasks += [project(calls, 2), project(calls, 3), project(calls, 2), project(calls, 4)]
    held.let(9)
    await asyncio.gather(*tasks)
    assert held.transactions == [[1], [2, 3], [2, 4]]


async def test_a_transaction_has_a_bounded_number_of_rows(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ROWS", 3)
    calls = FoldQueue(held.fold)
    tasks = [project(calls, 0)]
    await held.begun.wait()
    tasks += [project(calls, 1, 2), project(calls, 3), project(calls, 4, 5, 6, 7), project(calls, 8)]
    held.let(9)
    await asyncio.gather(*tasks)
    assert held.transactions == [[0], [1, 2, 3], [4, 5, 6, 7], [8]]


async def test_no_more_than_a_bounded_number_of_calls_wait(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "WAITING", 2)
    calls = FoldQueue(held.fold)
    tasks = [project(calls, 1)]
    await held.begun.wait()
    tasks += [project(calls, 2), project(calls, 3)]
    await asyncio.sleep(0)
    with pytest.raises(ViewsUnavailable):
        await project(calls, 4)
    held.let(9)
    assert await asyncio.gather(*tasks) == [[Done(1)], [Done(2)], [Done(3)]]


async def test_when_who_folds_for_others_is_cancelled_they_are_told(held: Held) -> None:
    calls = FoldQueue(held.fold)
    first = project(calls, 1)
    await held.begun.wait()
    leader, follower = project(calls, 2), project(calls, 3)
    held.begun.clear()
    held.let(1)
    await held.begun.wait()
    assert await first == [Done(1)]
    leader.cancel()
    with pytest.raises(ViewsUnavailable):
        await follower
    held.let(9)
    assert await project(calls, 5) == [Done(5)]


async def test_who_is_cancelled_while_it_waits_is_not_folded_for(held: Held) -> None:
    calls = FoldQueue(held.fold)
    first = project(calls, 1)
    await held.begun.wait()
    second, third = project(calls, 2), project(calls, 3)
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    held.let(9)
    assert (await first, await third) == ([Done(1)], [Done(3)])
    assert held.transactions == [[1], [3]]
