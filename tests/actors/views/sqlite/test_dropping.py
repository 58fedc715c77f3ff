"""What is dropped leaves the file while nobody waits, also when the process that dropped it was killed."""

import asyncio
import time
from pathlib import Path

import apsw

from actors.views.sqlite import SqliteViews
from tests.actors.views.documents import CARDS, Card, Count, Put, work


def tables(path: Path) -> set[str]:
    """All that has a name in the file, but for what is always there."""
    with apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY) as file:
        rows = file.execute("SELECT name FROM sqlite_schema WHERE name GLOB '*_[0-9]*'").fetchall()
    return {str(name) for (name,) in rows}


async def gone(path: Path, number: int) -> None:
    """Waits until nothing of a generation is left."""
    until = time.monotonic() + 20
    names = (f"documents_{number}", f"words_{number}")
    while left := {
        one for one in tables(path) if one in names or one.startswith(tuple(f"{n}_" for n in names))
    }:
        assert time.monotonic() < until, left
        await asyncio.sleep(0.01)


async def test_a_dropped_generation_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "boxes.views.sqlite"
    store = await SqliteViews.open(path)
    try:
        await store.prepare([CARDS.shape])
        many = [f"k{number}" for number in range(12_000)]
        card = Card(title="some words", text="to be found")
        await store.project([work(Put(many[:6_000], card), Put(many[6_000:], card))])
        assert {"documents_1", "words_1"} < tables(path)
        number = (await store.rebuild(CARDS.shape)).number
        await store.project([work(Count(["a"]), Count(["a"]), generation=number, complete=True)])
        assert await store.switch(number, 1)
        await gone(path, 1)
        assert {"documents_2", "words_2"} < tables(path)
        assert await store.project([work(Count(["a"]), generation=number, after=2)])
    finally:
        await store.close()


async def test_what_was_left_is_taken_away_by_the_next_to_open_the_file(tmp_path: Path) -> None:
    path = tmp_path / "boxes.views.sqlite"
    store = await SqliteViews.open(path)
    await store.prepare([CARDS.shape])
    await store.project([work(Put(["a"], Card()))])
    await store.close()
    with apsw.Connection(str(path)) as file:
        file.execute("UPDATE generations SET state = 'dropping'")
    again = await SqliteViews.open(path)
    try:
        await gone(path, 1)
        assert await again.generations() == []
    finally:
        await again.close()
