"""Indexing behind the commits: complete, resumable, and strict."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from actors.journal.port import Corrupted, Row
from actors.journal.sqlite.indexer import PATIENCE, QUIET_WINDOW, Indexer
from actors.journal.sqlite.store import Store
from tests.actors.journal.conformance import SHARDS, row

EVENTS = 300


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "booking.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    made = opened(path)
    yield made
    made.close()


def opened(path: Path) -> Store:
    return Store(path, SHARDS, 1.0, stretch=64)


def at_once() -> None:
    """Nobody has stopped waiting for this write."""


def events(first: int, count: int) -> list[Row]:
    """Events of shard 1, three entities taking turns."""
    return [row(1, seq, f"e{seq % 3}", (seq - 1) // 3 + 1) for seq in range(first, first + count)]


def append(store: Store, rows: list[Row]) -> None:
    [claim] = store.claim([1], "a", at_once)
    store.append(rows, {1: claim.epoch}, (), at_once)


def indexed(path: Path) -> tuple[list[int], list[tuple[str, int]]]:
    """Sequences of shard 1 in by_shard, and (id, version) in by_entity."""
    file = apsw.Connection(str(path))
    sequences = [seq for (seq,) in file.execute("SELECT seq FROM by_shard WHERE shard = 1 ORDER BY seq")]
    found = file.execute("SELECT id, version FROM by_entity ORDER BY 1, 2").fetchall()
    file.close()
    return sequences, [(str(id), int(str(version))) for id, version in found]


def expected(rows: list[Row]) -> tuple[list[int], list[tuple[str, int]]]:
    return [one.seq for one in rows], sorted((one.id, one.version) for one in rows)


def test_a_full_window_is_indexed_and_forgotten(store: Store, path: Path) -> None:
    indexer = Indexer(store, window=EVENTS)
    rows = events(1, EVENTS)
    append(store, rows[:-1])
    assert not indexer.due()
    append(store, rows[-1:])
    while indexer.due():
        indexer.step()
    assert indexed(path) == expected(rows)
    assert store.heads.indexed == store.heads.last == EVENTS
    assert store.heads.tail.of_shard(1, 1, EVENTS) == []
    assert store.heads.tail.of_entity("space", "e1", 1, EVENTS) == []
    assert store.heads.tail.size == 0


@pytest.mark.parametrize("steps", range(8))
def test_a_window_that_was_broken_off_is_done_again_after_opening(
    store: Store, path: Path, steps: int
) -> None:
    rows = events(1, EVENTS)
    append(store, rows)
    first = Indexer(store, window=EVENTS)
    for _ in range(steps):
        if first.due():
            first.step()
    reopened = opened(path)
    second = Indexer(reopened, window=1)
    while second.due():
        second.step()
    assert indexed(path) == expected(rows)
    assert reopened.heads.indexed == EVENTS
    reopened.close()


def test_events_that_come_during_a_window_wait_for_the_next(store: Store, path: Path) -> None:
    indexer = Indexer(store, window=EVENTS)
    rows = events(1, EVENTS + 50)
    append(store, rows[:EVENTS])
    [claim] = store.claim([1], "a", at_once)
    indexer.step()
    for one in rows[EVENTS:]:
        store.append([one], {1: claim.epoch}, (), at_once)
        if indexer.due():
            indexer.step()
    while indexer.due():
        indexer.step()
    assert indexed(path) == expected(rows[:EVENTS])
    assert store.heads.tail.of_shard(1, EVENTS + 1, EVENTS + 50) == list(range(EVENTS + 1, EVENTS + 51))


def test_enough_events_are_indexed_early_when_it_is_quiet(store: Store) -> None:
    indexer = Indexer(store)
    append(store, events(1, QUIET_WINDOW - 1))
    assert not indexer.due(quiet=True)
    append(store, events(QUIET_WINDOW, 1))
    assert not indexer.due()
    assert indexer.due(quiet=True)


@pytest.mark.parametrize(
    ("changes", "index"),
    [({"seq": "5", "id": "'other'"}, "by_shard"), ({"seq": "301", "version": "2"}, "by_entity")],
)
def test_two_events_with_one_name_stop_it_for_good(
    store: Store, path: Path, changes: dict[str, str], index: str
) -> None:
    append(store, events(1, EVENTS))
    indexer = Indexer(store, window=1)
    while indexer.due():
        indexer.step()
    file = apsw.Connection(str(path))
    chosen = ", ".join(changes.get(name, name) for name in Row._fields)
    file.execute(
        f"INSERT INTO events ({', '.join(Row._fields)}) SELECT {chosen} FROM events WHERE position = 1"
    )
    file.close()
    store.progress()

    def go_on() -> None:
        while indexer.due():
            indexer.step()

    with pytest.raises(Corrupted, match=f"two events have the same sequence or version: .*{index}"):
        go_on()
    assert indexer.corruption is not None
    assert not indexer.due(quiet=True)
    assert indexer.lateness == 0


def test_the_later_it_is_the_more_steps_an_append_waits_for(store: Store) -> None:
    indexer = Indexer(store, window=10)
    append(store, events(1, 10 * PATIENCE - 1))
    assert indexer.lateness == 0
    append(store, events(10 * PATIENCE, 1))
    assert indexer.lateness == 1
    append(store, events(10 * PATIENCE + 1, 20))
    assert indexer.lateness == 3


def test_two_processes_index_the_same_events_and_those_of_both(store: Store, path: Path) -> None:
    other = opened(path)
    rows = events(1, EVENTS)
    append(store, rows)
    [theirs] = other.claim([2], "b", at_once)
    foreign = [row(2, seq, f"f{seq}", 1) for seq in range(1, 101)]
    other.append(foreign, {2: theirs.epoch}, (), at_once)
    store.progress()
    both = [Indexer(store, window=50), Indexer(other, window=50)]
    while any(indexer.due() for indexer in both):
        for indexer in both:
            if indexer.due():
                indexer.step()
    for one in (store, other):
        one.progress()
        assert one.heads.indexed == one.heads.last == EVENTS + 100
        assert one.heads.tail.size == 0
    assert indexed(path)[0] == [one.seq for one in rows]
    assert indexed(path)[1] == sorted((one.id, one.version) for one in rows + foreign)
    other.close()


def test_two_processes_that_append_under_one_epoch_are_found_out(store: Store, path: Path) -> None:
    """A violation of the protocol: only the process that claimed a shard may append to it."""
    other = opened(path)
    [claim] = store.claim([1], "a", at_once)
    store.append(events(1, 3), {1: claim.epoch}, (), at_once)
    other.append(events(4, 3), {1: claim.epoch}, (), at_once)
    store.append([row(1, 4, "another", 1)], {1: claim.epoch}, (), at_once)
    indexer = Indexer(other, window=1)
    other.progress()

    def go_on() -> None:
        while indexer.due():
            indexer.step()

    with pytest.raises(Corrupted, match="by_shard"):
        go_on()
    with pytest.raises(Corrupted, match=r"follows|ends at"):
        other.claim([1], "b", at_once)
    other.close()
