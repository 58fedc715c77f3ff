"""What stores promise of ``read``, but for search: conditions, order, pages, one moment."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from actors.views.conditions import ALWAYS, NEVER, All, Compare, Condition, Either, Stored
from actors.views.port import Found, NoSuchView, Standing, ViewStore, Wanted
from contexts.vocabulary import Operator
from tests.actors.views import plain
from tests.actors.views.documents import CARDS, TALLIES, Card, Count, Remove, encoded, put, work
from tests.actors.views.opening import Opening, keys, page

NOON = datetime(2026, 10, 25, 12, tzinfo=UTC)
SAMPLE = {
    "ant": Card("ada", 3, 0.5, True, date(2026, 1, 1), NOON, "oslo", 1, 0.1, True, date(2026, 1, 1), NOON),
    "bee": Card("bob", 3, 0.5, False, date(2026, 1, 2), NOON, None, 1, None, None, None, None),
    "cat": Card("ada", -7, -1.25, True, date(2025, 12, 31), NOON + timedelta(microseconds=1), "bergen", None),
    "dog": Card("Ada", 2**62, 1e300, rank=-(2**62), rate=0.1 + 0.2, checked=False, place=""),
    "eel": Card("ång", 2**62 + 1, 1e-300, place="部屋", rank=0, until=date(1999, 9, 9)),
    "fox": Card("", 0, 0.0, place="oslo", rank=2, due=NOON - timedelta(days=30_000)),
    "gnu": Card("\U0001f600", 0, -0.0, place="\uffff", rank=2, due=NOON),
    "hen": Card("bob", 1, 1 / 3, place="Oslo", rate=-1e9, checked=True),
    "it's": Card('"', 1, 1.0, place="'; --", rank=3),
    "部屋": Card("%_\\", 1, 2.0, place="oslo"),
}
COLUMNS = [column.name for column in CARDS.shape.columns]
OPTIONAL = [column.name for column in CARDS.shape.columns if column.optional]
OPERATORS: tuple[Operator, ...] = ("==", "!=", "<", "<=", ">", ">=")


def after(key: str, sort: str | None) -> tuple[Stored, str]:
    """Where the page after this card begins."""
    return (None if sort is None else plain.column(SAMPLE[key], sort)), key


class Finding(Opening):
    """Part of the suite."""

    @pytest.fixture
    async def filled(self, store: ViewStore) -> ViewStore:
        """The sample, and what was there and is not any more."""
        puts = [put(key, card) for key, card in SAMPLE.items()]
        await store.project([work(put("cow", Card("ada", 3, place="oslo")), *puts, Remove(["cow"]), shard=1)])
        return store

    async def check(self, store: ViewStore, **wanted: Any) -> None:
        """Found is exactly what plain Python finds."""
        await plain.check(store, SAMPLE, Wanted("cards", **wanted))

    async def test_without_conditions_everything_is_found_by_key(self, filled: ViewStore) -> None:
        found = await page(filled)
        expected = [
            Found(key, encoded(msgspec.structs.replace(card, folds=1)), None)
            for key, card in sorted(SAMPLE.items())
        ]
        assert (found.found, found.more, found.total) == (expected, False, None)
        await self.check(filled, descending=True)

    async def test_only_documents_of_the_wanted_keys_are_found(self, filled: ViewStore) -> None:
        for wanted in ((), ("cat",), ("nobody",), ("部屋", "ant", "nobody", "it's", "ant"), ("cow", "bee")):
            await self.check(filled, keys=wanted)
            await self.check(filled, keys=wanted, sort="size", descending=True)
            await self.check(filled, keys=wanted, where=Compare("name", "==", "ada"))
        assert (await page(filled, keys=("ant",), total=True)).total == 1
        assert await keys(filled, keys=tuple(SAMPLE), limit=2) == sorted(SAMPLE)[:2]

    @pytest.mark.parametrize("name", COLUMNS)
    async def test_every_operator_compares_as_python_does(self, filled: ViewStore, name: str) -> None:
        values = {plain.column(card, name) for card in SAMPLE.values()} | {None}
        for operator in OPERATORS:
            for value in values:
                await self.check(filled, where=Compare(name, operator, value))

    async def test_numbers_beyond_any_column_compare_as_python_does(self, filled: ViewStore) -> None:
        for operator in OPERATORS:
            for value in (2**63, -(2**63) - 1, 10**400, -(10**400), 2.5, -0.0, 1):
                for name in ("size", "rank"):
                    await self.check(filled, where=Compare(name, operator, value))
            for real in (1, 0, -2, 2**53 + 1):
                await self.check(filled, where=Compare("weight", operator, real))

    async def test_halves_of_characters_are_in_no_text_and_have_an_order(self, filled: ViewStore) -> None:
        for value in ("\ud800", "\udfff", "oslo\ud900", "部屋\udc00x", "\uffff\ud800"):
            for operator in OPERATORS:
                for name in ("name", "place"):
                    await self.check(filled, where=Compare(name, operator, value))
            readings = (Wanted("cards", keys=(key,)) for key in (value, "ant", value, "bee"))
            found = await asyncio.gather(*(filled.read([wanted]) for wanted in readings))
            assert [len(reading.pages[0].found) for reading in found] == [0, 1, 0, 1]

    async def test_conditions_are_joined(self, filled: ViewStore) -> None:
        ada, open_, small = (
            Compare("name", "==", "ada"),
            Compare("open", "==", 1),
            Compare("size", "<", 1),
        )
        nowhere = Compare("place", "==", None)
        conditions: list[Condition] = [
            ALWAYS,
            NEVER,
            All((ada, small)),
            Either((ada, small)),
            All((open_, Either((small, nowhere)))),
            Either((All((ada, open_)), All((nowhere, Compare("rank", ">=", 1))), NEVER)),
            All((ALWAYS, Either((ALWAYS, ada)))),
            All((ada, NEVER)),
            Either(tuple(Compare("name", "==", name) for name in ("ada", "bob", "nobody"))),
        ]
        for where in conditions:
            for sort in (None, "rank", "size"):
                await self.check(filled, where=where, sort=sort)

    async def test_thousands_of_conditions_are_one(self, filled: ViewStore) -> None:
        sizes = tuple(Compare("size", "==", size) for size in range(2, 3_000))
        await self.check(filled, where=Either(sizes))
        await self.check(filled, where=All(tuple(Compare("size", "!=", one.value) for one in sizes)))

    @pytest.mark.parametrize("sort", [None, *COLUMNS])
    async def test_every_page_goes_on_where_the_last_one_ended(
        self, filled: ViewStore, sort: str | None
    ) -> None:
        for descending in (False, True):
            order = plain.found(SAMPLE, Wanted("cards", sort=sort, descending=descending))
            for begin in range(len(order) + 1):
                last = after(order[begin - 1], sort) if begin else None
                for limit in (1, 3, 100):
                    found = await page(
                        filled, sort=sort, descending=descending, after=last, limit=limit, total=True
                    )
                    assert [one.key for one in found.found] == order[begin : begin + limit]
                    assert [(one.value, one.key) for one in found.found] == [
                        after(key, sort) for key in order[begin : begin + limit]
                    ]
                    assert found.more == (begin + limit < len(order))
                    assert found.total == len(order)

    async def test_a_page_may_begin_after_a_document_that_is_gone(self, filled: ViewStore) -> None:
        assert await keys(filled, after=(None, "cow")) == ["dog", "eel", "fox", "gnu", "hen", "it's", "部屋"]
        assert await keys(filled, sort="size", after=(3, "ba")) == ["bee", "dog", "eel"]
        assert await keys(filled, sort="rank", after=(1, "zz"), where=Compare("rank", "<", 3)) == [
            "fox",
            "gnu",
        ]

    async def test_conditions_sort_and_page_work_together(self, filled: ViewStore) -> None:
        where = Either((Compare("place", "==", "oslo"), Compare("place", "==", None)))
        for sort in ("place", "rank", "size"):
            for descending in (False, True):
                order = plain.found(SAMPLE, Wanted("cards", where=where, sort=sort, descending=descending))
                walked: list[str] = []
                last: tuple[Stored, str] | None = None
                while len(walked) < len(order):
                    found = await page(
                        filled, where=where, sort=sort, descending=descending, after=last, limit=2, total=True
                    )
                    assert found.total == len(order)
                    walked += [one.key for one in found.found]
                    last = (found.found[-1].value, found.found[-1].key)
                assert walked == order

    async def test_tombstones_are_shown_to_those_who_ask(self, filled: ViewStore) -> None:
        assert (await page(filled, keys=("cow",), tombstones=True)).found == [Found("cow", None, None)]
        where = Compare("name", "==", "ada")
        assert await keys(filled, where=where, tombstones=True) == ["ant", "cat", "cow"]
        assert (await page(filled, where=where, total=True, limit=1)).total == 2
        assert (await page(filled, where=where, total=True, tombstones=True)).total == 3
        found = await page(filled, sort="place", tombstones=True, after=("oslo", "ant"), limit=2)
        assert found.found[0] == Found("cow", None, "oslo")

    async def test_a_changed_document_is_found_by_what_it_has_become(self, filled: ViewStore) -> None:
        await filled.project([work(put("ant", Card("zoe", 99, place=None)), shard=2)])
        assert await keys(filled, where=Compare("name", "==", "ada")) == ["cat"]
        assert await keys(filled, where=Compare("size", "==", 99)) == ["ant"]
        assert (await keys(filled, sort="place"))[0] == "ant"

    async def test_all_pages_of_a_reading_are_of_one_moment(
        self, filled: ViewStore, other: ViewStore
    ) -> None:
        """Every document of both views counts the same event, and the positions say which one."""
        await filled.prepare([CARDS.shape, TALLIES.shape])

        async def fold() -> None:
            for seq in range(40):
                count = Count(["x", "y"])
                await filled.project(
                    [work(count, after=seq), work(count, after=seq, generation=2, of=TALLIES)]
                )

        folding = asyncio.create_task(fold())
        seen: set[int] = set()
        while not folding.done():
            for one in (filled, other):
                reading = await one.read(
                    [Wanted("cards", keys=("x",)), Wanted("tallies"), Wanted("cards", keys=("y",))]
                )
                at = reading.standings["cards"].positions.get(0, 0)
                assert reading.standings["tallies"] == Standing(2, {0: at} if at else {})
                found = [one for page in reading.pages for one in page.found]
                assert len(found) == (4 if at else 0)
                assert {msgspec.json.decode(one.document or b"")["folds"] for one in found} <= {at}
                seen.add(at)
        await folding
        assert len(seen) > 1

    async def test_an_acknowledged_fold_is_read_at_once(self, store: ViewStore, other: ViewStore) -> None:
        for seq in range(20):
            await store.project([work(Count(["a"]), after=seq)])
            for one in (store, other):
                reading = await one.read([Wanted("cards", keys=("a",))])
                assert reading.standings["cards"].positions == {0: seq + 1}
                [found] = reading.pages[0].found
                assert msgspec.json.decode(found.document or b"")["folds"] == seq + 1

    async def test_many_readings_at_once_are_each_answered(self, filled: ViewStore) -> None:
        wanted = [(key, Wanted("cards", keys=(key,))) for key in [*SAMPLE, "nobody"]] * 20
        readings = await asyncio.gather(*(filled.read([one]) for _, one in wanted))
        for (key, _), reading in zip(wanted, readings, strict=True):
            assert [found.key for found in reading.pages[0].found] == ([] if key == "nobody" else [key])
            assert reading.standings == {"cards": Standing(1, {1: len(SAMPLE) + 2})}

    async def test_documents_asked_for_at_once_are_each_shown_to_whom_they_may_be(
        self, filled: ViewStore
    ) -> None:
        rules: list[Condition] = [ALWAYS, NEVER, *(Compare("name", "==", name) for name in ("ada", "bob"))]
        asked = [(key, rule) for key in [*SAMPLE, "cow"] for rule in rules]
        readings = await asyncio.gather(
            *(filled.read([Wanted("cards", keys=(key,), where=rule)]) for key, rule in asked)
        )
        for (key, rule), reading in zip(asked, readings, strict=True):
            shown = key in SAMPLE and plain.met(rule, SAMPLE[key])
            assert [found.key for found in reading.pages[0].found] == [key] * shown

    async def test_an_empty_reading_is_answered(self, store: ViewStore) -> None:
        assert (await store.read([])).pages == []

    @pytest.mark.parametrize(
        "wanted",
        [
            Wanted("nothing"),
            Wanted("nothing", keys=("a",)),
            Wanted("cards", where=Either((ALWAYS, All((Compare("title", "==", "x"),))))),
            Wanted("cards", sort="folds"),
            Wanted("cards", search="x", fields=("name",)),
        ],
    )
    async def test_what_the_view_does_not_have_cannot_be_asked_for(
        self, filled: ViewStore, wanted: Wanted
    ) -> None:
        for reads in ([wanted], [Wanted("cards"), wanted]):
            with pytest.raises(NoSuchView):
                await filled.read(reads)
        assert await keys(filled, keys=("ant",)) == ["ant"]
