"""Seeded histories of several shards, and what becomes of them.

Shards have cards of their own, with which everything happens, and cards that all of them count on: in
whatever order shards are folded, the same comes of it."""

import random
from collections.abc import Mapping

from actors.views.memory import MemoryViews
from actors.views.port import Reading, ViewStore, Wanted, Work
from contexts.vocabulary import Event
from tests.actors.views.documents import CARDS, Card, Count, Pass, Put, Remove, rows

SHARED = ("every", "each", "部屋")
ALL = Wanted("cards", limit=100_000, tombstones=True)


def history(seed: int, shard: int, length: int) -> list[Event]:
    """The events of one shard."""
    chance = random.Random(f"{seed} {shard}")
    own = [f"{shard}-{number}" for number in range(5)]

    def event() -> Event:
        keys = chance.sample(own, chance.randint(1, 2))
        match chance.randrange(6):
            case 0:
                card = Card(
                    chance.choice(["hall", "ホール"]), chance.randrange(9), title=chance.choice("abc")
                )
                return Put(keys, card)
            case 1:
                return Remove(keys)
            case 2:
                return Pass()
            case 3:
                return Count(keys)
            case _:
                return Count([*keys, *chance.sample(SHARED, chance.randint(1, 3))])

    return [event() for _ in range(length)]


def piece(events: list[Event], shard: int, after: int, count: int) -> Work:
    """At most ``count`` of a shard's events, as work."""
    taken = events[after : after + count]
    return Work(1, shard, after, rows(shard, *taken, after=after), CARDS)


async def replayed(histories: Mapping[int, list[Event]], positions: Mapping[int, int]) -> Reading:
    """A fresh replay in memory, up to these positions."""
    store = MemoryViews()
    await store.prepare([CARDS.shape])
    for shard, seq in positions.items():
        await store.project([piece(histories[shard], shard, 0, seq)])
    return await store.read([ALL])


async def is_a_replay(store: ViewStore, histories: Mapping[int, list[Event]]) -> Mapping[int, int]:
    """Holds the store's cards to a fresh replay up to the positions they came with, byte for byte; those."""
    reading = await store.read([ALL])
    positions = reading.standings["cards"].positions
    expected = await replayed(histories, positions)
    assert reading.pages == expected.pages
    return positions
