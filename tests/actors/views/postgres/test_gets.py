"""Single documents are read together, and each caller gets its own."""

import asyncio
from collections.abc import Sequence

import pytest

from actors.views.conditions import Compare
from actors.views.port import Found, Page, Reading, Standing, ViewsUnavailable, Wanted
from actors.views.postgres.gets import TOGETHER, Gets


class Statements:
    """Answers with all keys but ``missing``."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, ...]] = []
        self.let = asyncio.Event()
        self.let.set()
        self.error: Exception | None = None

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        [one] = wanted
        keys = one.keys or ()
        self.keys.append(keys)
        await self.let.wait()
        if self.error is not None:
            raise self.error
        found = [Found(key, key.encode(), None) for key in sorted(keys) if key != "missing"]
        return Reading([Page(found)], {one.view: Standing(1, {})})


def get(gets: Gets, *keys: str, view: str = "cards") -> "asyncio.Task[Reading]":
    return asyncio.ensure_future(gets.read(Wanted(view, keys=keys)))


def keys(reading: Reading) -> list[str]:
    return [one.key for one in reading.pages[0].found]


async def test_those_who_ask_in_one_turn_of_the_loop_share_a_statement() -> None:
    statements = Statements()
    gets = Gets(statements.read)
    readings = await asyncio.gather(
        get(gets, "b"),
        get(gets, "missing"),
        get(gets, "c", "a"),
        get(gets, "b"),
        get(gets, "x", view="others"),
    )
    assert list(map(keys, readings)) == [["b"], [], ["a", "c"], ["b"], ["x"]]
    assert statements.keys == [("b", "missing", "c", "a"), ("x",)]


async def test_a_statement_has_a_bounded_number_of_keys() -> None:
    statements = Statements()
    gets = Gets(statements.read)
    await asyncio.gather(*(get(gets, f"{n}") for n in range(TOGETHER + 1)))
    assert list(map(len, statements.keys)) == [TOGETHER, 1]


async def test_others_are_read_for_by_somebody_else_when_who_asked_first_goes_away() -> None:
    statements = Statements()
    statements.let.clear()
    gets = Gets(statements.read)
    first, second = get(gets, "a"), get(gets, "b")
    while not statements.keys:
        await asyncio.sleep(0)
    first.cancel()
    statements.let.set()
    assert keys(await second) == ["b"]
    assert statements.keys == [("a", "b"), ("b",)]


async def test_who_goes_away_takes_no_one_along() -> None:
    statements = Statements()
    statements.let.clear()
    gets = Gets(statements.read)
    first, second = get(gets, "a"), get(gets, "b")
    while not statements.keys:
        await asyncio.sleep(0)
    second.cancel()
    statements.let.set()
    assert keys(await first) == ["a"]


async def test_all_are_told_of_a_failure() -> None:
    statements = Statements()
    statements.error = ViewsUnavailable("gone")
    gets = Gets(statements.read)
    told = await asyncio.gather(get(gets, "a"), get(gets, "b"), return_exceptions=True)
    assert [type(one) for one in told] == [ViewsUnavailable] * 2


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("cards"),
        Wanted("cards", keys=("a", "b"), limit=1),
        Wanted("cards", keys=("a",), total=True),
        Wanted("cards", keys=("a",), search="x"),
        Wanted("cards", keys=("a",), sort="name"),
        Wanted("cards", keys=("a",), descending=True),
        Wanted("cards", keys=("a",), after=(None, "a")),
    ],
)
def test_what_is_more_than_a_few_keys_is_not_for_it(wanted: Wanted) -> None:
    assert not Gets.takes(wanted)


def test_a_rule_of_visibility_may_come_with_the_keys() -> None:
    assert Gets.takes(Wanted("cards", keys=("a",), where=Compare("name", "==", "ada"), tombstones=True))
