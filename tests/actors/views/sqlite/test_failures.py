"""What fails is said, leaves nothing half done, and is over when its cause is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from actors.views.port import Done, ViewsDamaged, ViewsUnavailable, Wanted
from actors.views.sqlite import SqliteViews
from tests.actors.views.documents import CARDS, Card, Count, Put, work
from tests.actors.views.opening import folds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "boxes.views.sqlite"


def foreign(path: Path) -> apsw.Connection:
    """A connection that does as it likes; it waits for the store, which writes also in its pauses."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(10_000)
    return connection


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteViews]:
    made = await SqliteViews.open(path, lock_seconds=0.3)
    await made.prepare([CARDS.shape])
    yield made
    await made.close()


async def test_a_file_of_a_later_version_is_refused(path: Path, store: SqliteViews) -> None:
    with foreign(path) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(ViewsDamaged, match="newer program"):
        await SqliteViews.open(path)


def test_a_file_of_something_else_is_refused(path: Path) -> None:
    path.write_bytes(b"This is a letter to my aunt. " * 500)
    with pytest.raises(ViewsDamaged):
        asyncio.run(SqliteViews.open(path))


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ViewsUnavailable):
        await SqliteViews.open(tmp_path / "nowhere" / "boxes.views.sqlite")


async def test_a_lock_that_is_held_too_long_is_said_and_nothing_is_done(
    path: Path, store: SqliteViews
) -> None:
    other = foreign(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ViewsUnavailable, match="lock"):
        await store.project([work(Count(["a"]))])
    assert (await store.read([Wanted("cards")])).pages[0].found == []
    other.execute("COMMIT")
    other.close()
    assert await store.project([work(Count(["a"]))]) == [Done(1)]
    assert await folds(store) == {"a": 1}


async def test_a_full_disk_is_said_and_nothing_is_done(store: SqliteViews) -> None:
    await store.project([work(Count(["a"]))])
    store._writer._connection.execute("PRAGMA max_page_count = 1")
    big = Card(text="x" * 100_000)
    with pytest.raises(ViewsUnavailable, match="full"):
        await store.project([work(Put(["a", "b"], big), after=1)])
    assert await folds(store) == {"a": 1}
    store._writer._connection.execute("PRAGMA max_page_count = 1000000")
    assert await store.project([work(Put(["a", "b"], big), after=1)]) == [Done(2)]
    assert await folds(store) == {"a": 2, "b": 1}


async def test_a_closed_store_says_so(path: Path) -> None:
    store = await SqliteViews.open(path)
    await store.close()
    assert store.dead == "the store of views is closed"
    with pytest.raises(ViewsUnavailable, match="closed"):
        await store.generations()
    with pytest.raises(ViewsUnavailable, match="closed"):
        await store.project([work(Count(["a"]))])


async def test_tables_that_make_no_sense_are_said(path: Path, store: SqliteViews) -> None:
    with foreign(path) as file:
        file.execute("UPDATE generations SET shape = '{}'")
    with pytest.raises(ViewsDamaged):
        await store.read([Wanted("cards")])
    with pytest.raises(ViewsDamaged):
        await store.project([work(Count(["a"]))])


async def test_a_document_that_is_no_json_fails_the_event_and_not_the_store(
    path: Path, store: SqliteViews
) -> None:
    await store.project([work(Count(["a"]))])
    with foreign(path) as file:
        file.execute("UPDATE documents_1 SET document = x'7b'")
    [done] = await store.project([work(Count(["b"]), Count(["a"]), after=1)])
    assert done.seq == 2
    assert done.failure is not None
    assert done.failure.seq == 3
