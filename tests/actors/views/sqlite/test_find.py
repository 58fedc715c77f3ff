"""For random histories, whatever is asked of the store is exactly what plain Python finds."""

import asyncio
import typing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.views.conditions import All, Compare, Condition, Either, Stored
from actors.views.memory import MemoryViews
from actors.views.port import Done, Page, ViewStore, Wanted
from actors.views.sqlite import SqliteViews
from contexts.vocabulary import Event, Operator
from tests.actors.views import plain
from tests.actors.views.documents import CARDS, Card, work
from tests.actors.views.histories import history, replayed

COLUMNS = [column.name for column in CARDS.shape.columns]
ASKED = 12
"""Questions to each history."""


def conditions(cards: list[Card]) -> st.SearchStrategy[Condition]:
    """Comparisons with values that are there, with None, and with numbers of another type."""

    @st.composite
    def compare(draw: st.DrawFn) -> Condition:
        column = draw(st.sampled_from(CARDS.shape.columns))
        values: list[Any] = [plain.column(card, column.name) for card in cards[:8]]
        if column.kind in ("integer", "real"):
            values += [0.5, 2**63, -(2**70), 1e301, 1]
        operator = draw(st.sampled_from(typing.get_args(Operator)))
        return Compare(column.name, operator, draw(st.sampled_from([None, *values])))

    return st.recursive(
        compare(),
        lambda of: st.one_of(
            st.lists(of, max_size=3).map(lambda found: All(tuple(found))),
            st.lists(of, max_size=3).map(lambda found: Either(tuple(found))),
        ),
        max_leaves=5,
    )


def questions(cards: dict[str, Card]) -> st.SearchStrategy[Wanted]:
    """Anything that may be asked of these."""
    keys = st.sampled_from([*cards, "nobody"])
    return st.builds(
        Wanted,
        view=st.just("cards"),
        keys=st.one_of(st.none(), st.none(), st.lists(keys, max_size=6).map(tuple)),
        where=conditions(list(cards.values())),
        search=st.sampled_from(
            ("", "", "", "room", "ROOM green", "会議", "室", "strasse", "カラオケ", "%", "zz")
        ),
        fields=st.sampled_from((("title", "text"), ("text",))),
        sort=st.sampled_from((None, *COLUMNS)),
        descending=st.booleans(),
        limit=st.integers(1, 12),
        total=st.booleans(),
    )


async def walked(store: ViewStore, wanted: Wanted, count: int) -> list[str]:
    """The keys on all pages, each of which begins where the last one ended."""
    keys: list[str] = []
    after: tuple[Stored, str] | None = None
    while True:
        [page] = (await store.read([msgspec.structs.replace(wanted, after=after)])).pages
        assert page.total == (count if wanted.total else None)
        assert len(page.found) <= wanted.limit
        keys += [one.key for one in page.found]
        if not page.more:
            return keys
        after = _last(page)


def _last(page: Page) -> tuple[Stored, str]:
    return page.found[-1].value, page.found[-1].key


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), data=st.data())
def test_find_is_what_plain_python_finds(seed: int, data: st.DataObject) -> None:
    histories = [history(seed, shard, 60) for shard in range(2)]
    cards = {key: card for key, card in replayed(histories).items() if card is not None}
    asked = data.draw(st.lists(questions(cards), min_size=ASKED, max_size=ASKED))
    asyncio.run(check(histories, cards, asked))


async def check(histories: list[list[Event]], cards: dict[str, Card], asked: list[Wanted]) -> None:
    """Both stores answer as plain Python does."""
    with TemporaryDirectory() as folder:
        stores: list[ViewStore] = [await SqliteViews.open(Path(folder) / "boxes.views.sqlite"), MemoryViews()]
        try:
            for store in stores:
                await store.prepare([CARDS.shape])
                works = [work(*events, shard=shard) for shard, events in enumerate(histories)]
                assert await store.project(works) == [Done(60), Done(60)]
            for wanted in asked:
                expected = plain.found(cards, wanted)
                for store in stores:
                    assert await walked(store, wanted, len(expected)) == expected, wanted
        finally:
            for store in stores:
                await store.close()
