"""What a context's views must hold: a fresh replay of its journal, folded in memory, byte for byte."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from actors.journal.codec import EventCodec
from actors.journal.port import Row
from actors.manifest import ContextManifest, load
from actors.views.conditions import Stored
from actors.views.folding import Folding
from actors.views.memory import MemoryViews
from actors.views.port import ViewStore, Wanted, Work

PAGE = 500
"""Rows folded, or documents read, at once."""

Positions = Mapping[str, Mapping[int, int]]
"""By view and shard."""


class Kept(NamedTuple):
    """What a store holds under one key."""

    document: bytes | None
    """None: a tombstone."""
    columns: tuple[Stored, ...]


Contents = dict[str, dict[str, Kept]]
"""By view and key."""


def booking() -> ContextManifest:
    """The sample that all loads use."""
    return load(["contexts.booking"])["booking"]


def foldings(context: ContextManifest) -> dict[str, Folding]:
    """The rules of its views, by name."""
    codecs = {name: EventCodec(one.events) for name, one in context.aggregates.items()}
    return {name: Folding(view, codecs) for name, view in context.views.items()}


async def contents(store: ViewStore, context: ContextManifest) -> Contents:
    """All documents and tombstones of all views, with every indexed field, page by page."""
    found: Contents = {}
    for name, view in context.views.items():
        documents = {key: document for key, document, _ in await _pages(store, name, None)}
        columns: list[dict[str, Stored]] = []
        for column in view.shape.columns:
            columns.append({key: value for key, _, value in await _pages(store, name, column.name)})
            assert columns[-1].keys() == documents.keys(), f"{name} sorted by {column.name} shows other keys"
        found[name] = {
            key: Kept(document, tuple(of_one[key] for of_one in columns))
            for key, document in documents.items()
        }
    return found


async def _pages(store: ViewStore, view: str, sort: str | None) -> list[tuple[str, bytes | None, Stored]]:
    found: list[tuple[str, bytes | None, Stored]] = []
    after: tuple[Stored, str] | None = None
    more = True
    while more:
        wanted = Wanted(view, sort=sort, after=after, limit=PAGE, tombstones=True)
        [page] = (await store.read([wanted])).pages
        found += page.found
        more = page.more
        if more:
            after = (page.found[-1].value, page.found[-1].key)
    return found


async def positions(store: ViewStore, context: ContextManifest) -> Positions:
    """How far every view is."""
    standings = await store.standings(list(context.views))
    return {view: standings[view].positions for view in context.views}


async def replayed(context: ContextManifest, rows: Sequence[Row], upto: Positions) -> Contents:
    """What a store that has never held anything holds when it has folded these rows ``upto`` there."""
    store = MemoryViews()
    rules = foldings(context)
    await store.prepare([folding.shape for folding in rules.values()])
    generations = {one.view: one.number for one in await store.generations()}
    by_shard: dict[int, list[Row]] = {}
    for row in rows:
        by_shard.setdefault(row.shard, []).append(row)
    for view, folding in rules.items():
        for shard, of_one in by_shard.items():
            reached = upto[view].get(shard, 0)
            assert [row.seq for row in of_one] == list(range(1, len(of_one) + 1)), f"shard {shard} has a gap"
            assert reached <= len(of_one), f"{view} is ahead of shard {shard}"
            for after in range(0, reached, PAGE):
                part = of_one[after : min(after + PAGE, reached)]
                [done] = await store.project([Work(generations[view], shard, after, part, folding)])
                assert done.failure is None, done
    return await contents(store, context)


def differences(found: Contents, expected: Contents) -> list[str]:
    """The first few of each view, in words; none if they are equal."""
    told: list[str] = []
    for view in expected:
        is_there, should = found[view], expected[view]
        wrong = sorted(key for key in is_there.keys() | should.keys() if is_there.get(key) != should.get(key))
        told += [f"{view} {key}: {is_there.get(key)}, not {should.get(key)}" for key in wrong[:5]]
    return told
