"""Whatever is asked for, all pages together are what plain Python finds among the documents."""

import asyncio
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.views.conditions import All, Compare, Condition, Either
from actors.views.port import ViewStore, Wanted
from actors.views.postgres import PostgresViews
from contexts.vocabulary import Event
from tests.actors.journal.postgres.server import Server
from tests.actors.views import plain
from tests.actors.views.documents import CARDS, Card, Count, Put, Remove, work

KEYS = [f"k{number}" for number in range(9)]
texts = st.sampled_from(["", "a", "B", "ab", "é", "駅", "東京駅", "x" * 3_000, "x" * 3_000 + "y"])
small = st.integers(-2, 2)
reals = st.sampled_from([-1.5, 0.0, 0.5, 1e300])
cards = st.builds(
    Card,
    name=texts,
    size=small | st.just(2**63 - 1),
    weight=reals,
    open=st.booleans(),
    place=st.none() | texts,
    rank=st.none() | small,
    rate=st.none() | reals,
    checked=st.none() | st.booleans(),
    title=texts,
    text=st.sampled_from(["", "Tea room", "会議室 駅前", "STRASSE ß"]),
)
keys = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)
events: st.SearchStrategy[Event] = (
    st.builds(Put, keys=keys, card=cards) | st.builds(Count, keys=keys) | st.builds(Remove, keys=keys)
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": texts,
    "size": small | reals,
    "weight": reals | small,
    "open": st.sampled_from([0, 1]),
    "place": st.none() | texts,
    "rank": st.none() | small,
    "rate": st.none() | reals,
    "checked": st.sampled_from([None, 0, 1]),
}
compares: st.SearchStrategy[Condition] = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.builds(
        Compare, st.just(name), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), VALUES[name]
    )
)
conditions = st.recursive(
    compares,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple).flatmap(lambda of: st.sampled_from([All(of), Either(of)]))
    ),
    max_leaves=4,
)
questions = st.builds(
    Wanted,
    view=st.just("cards"),
    where=st.just(All()) | conditions,
    search=st.sampled_from(["", "", "", "a", "駅", "京駅", "room t", "strasse", "SS", "zz"]),
    fields=st.sampled_from([("title", "text"), ("title",), ("text",)]),
    sort=st.none() | st.sampled_from(sorted(VALUES)),
    descending=st.booleans(),
    limit=st.integers(1, 4),
    total=st.just(True),
)


async def pages(store: ViewStore, wanted: Wanted) -> tuple[list[str], int | None]:
    """All keys, page after page, and the total that each of the pages told."""
    found: list[str] = []
    totals: set[int | None] = set()
    more = True
    while more:
        [page] = (await store.read([wanted])).pages
        found += [one.key for one in page.found]
        totals.add(page.total)
        more = page.more
        if more:
            wanted = msgspec.structs.replace(wanted, after=(page.found[-1].value, page.found[-1].key))
    [total] = totals
    return found, total


async def check(server: Server, history: list[Event], asked: list[Wanted]) -> None:
    """In a new store."""
    documents: dict[str, Card] = {}
    for event in history:
        match event:
            case Put(names, card):
                documents |= dict.fromkeys(names, card)
            case Count(names):
                documents |= {name: documents.get(name, Card()) for name in names}
            case Remove(names):
                documents = {name: card for name, card in documents.items() if name not in names}
    store = await PostgresViews.open(server.url(), f"finding-{next(_numbers)}")
    try:
        await store.prepare([CARDS.shape])
        await store.project([work(*history)])
        for wanted in asked:
            expected = plain.found(documents, wanted)
            assert await pages(store, wanted) == (expected, len(expected)), wanted
    finally:
        await store.close()


_numbers = count(1)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(events, min_size=1, max_size=14), st.lists(questions, min_size=8, max_size=8))
def test_pages_are_what_plain_python_finds(server: Server, history: list[Event], asked: list[Wanted]) -> None:
    asyncio.run(check(server, history, asked))


@pytest.mark.chaos
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(events, min_size=1, max_size=30), st.lists(questions, min_size=20, max_size=20))
def test_pages_are_what_plain_python_finds_again_and_again(
    server: Server, history: list[Event], asked: list[Wanted]
) -> None:
    asyncio.run(check(server, history, asked))
