"""What other processes append is followed too, indexed or not."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.journal.sqlite import SqliteJournal
from tests.actors.journal.conformance import claimed, row

WINDOW = 16


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[SqliteJournal, SqliteJournal]]:
    path = tmp_path / "booking.sqlite"
    mine = await SqliteJournal.open(path, 8, window=WINDOW)
    other = await SqliteJournal.open(path, 8, window=WINDOW)
    yield mine, other
    await mine.close()
    await other.close()


async def test_events_of_another_process_are_followed_before_they_are_indexed(
    two: tuple[SqliteJournal, SqliteJournal],
) -> None:
    mine, other = two
    await claimed(mine, 0)
    epochs = await claimed(other, 5)
    feed = mine.follow({})
    assert await feed.read(10) == []
    await other.append([row(5, 1, "a", 1)], epochs)
    assert await feed.read(10) == [row(5, 1, "a", 1)]
    assert await mine.heads() == {5: 1}
    await other.append([row(5, 2, "a", 2)], epochs)
    assert await feed.read(10) == [row(5, 2, "a", 2)]
    assert await mine.heads() == {5: 2}


@pytest.mark.parametrize("seed", range(5))
async def test_every_event_is_followed_once_while_the_indexes_grow(
    two: tuple[SqliteJournal, SqliteJournal], seed: int
) -> None:
    drawn = random.Random(seed)
    mine, other = two
    epochs = {mine: await claimed(mine, 0, 1, 2, 3), other: await claimed(other, 4, 5, 6, 7)}
    last = dict.fromkeys(range(8), 0)
    feeds = []
    for _ in range(200):
        journal = drawn.choice((mine, other))
        shards = drawn.sample(list(epochs[journal]), drawn.randint(1, 4))
        await journal.append(
            [row(shard, last[shard] + 1, str(shard), last[shard] + 1) for shard in shards], epochs[journal]
        )
        for shard in shards:
            last[shard] += 1
        if drawn.random() < 0.1:
            start = {shard: drawn.randint(0, seq) for shard, seq in last.items()}
            feeds.append((mine.follow(start), start))
        for feed, read in feeds:
            if drawn.random() < 0.2:
                for one in await feed.read(drawn.randint(1, 20)):
                    assert one.seq == read[one.shard] + 1
                    read[one.shard] = one.seq
    assert await mine.heads() == {shard: seq for shard, seq in last.items() if seq}
    for feed, read in feeds:
        while page := await feed.read(50):
            for one in page:
                assert one.seq == read[one.shard] + 1
                read[one.shard] = one.seq
        assert read == last
