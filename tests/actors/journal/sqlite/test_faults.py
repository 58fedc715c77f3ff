"""What a locked, full or broken journal does to its callers, and that it recovers without restart."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import apsw
import pytest

from actors.journal.port import (
    Corrupted,
    JournalError,
    JournalFull,
    JournalUnavailable,
    OutcomeUnknown,
    Snapshot,
)
from actors.journal.sqlite import SqliteJournal, read_entity
from actors.journal.sqlite.store import Statements
from actors.settings import JournalSettings
from tests.actors.journal.conformance import SHARDS, replayed, row, seen, snapshot


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "booking.sqlite"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    made = await SqliteJournal.open(path, SHARDS, JournalSettings(lock_seconds=4.0))
    yield made
    await made.close()


class Locker:
    """Another's hold on the write lock. By apsw too: two SQLite libraries in one process do not see each
    other's locks."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        self._connection.set_busy_timeout(10_000)

    def take(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def free(self) -> None:
        self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def locker(journal: SqliteJournal, path: Path) -> Iterator[Locker]:
    made = Locker(path)
    yield made
    made.close()


async def test_commands_wait_while_another_process_takes_the_write_lock_again_and_again(
    journal: SqliteJournal, locker: Locker
) -> None:
    [claim] = await journal.claim([1], "a")
    done = threading.Event()

    def take_it_again_and_again() -> None:
        while not done.is_set():
            locker.take()
            done.wait(0.3)
            locker.free()
            time.sleep(0.02)

    thread = threading.Thread(target=take_it_again_and_again)
    thread.start()
    try:
        for seq in range(1, 6):
            assert await journal.append([row(1, seq, "x", seq)], {1: claim.epoch}) == frozenset()
    finally:
        done.set()
        thread.join()
    assert len(await journal.feed(1, 0, 10)) == 5


async def test_a_lock_held_too_long_is_unavailable_and_nothing_is_written(path: Path) -> None:
    journal = await SqliteJournal.open(path, SHARDS, JournalSettings(lock_seconds=0.05))
    locker = Locker(path)
    try:
        [claim] = await journal.claim([1], "a")
        locker.take()
        with pytest.raises(JournalUnavailable, match="another process holds"):
            await journal.append([row(1, 1, "x", 1)], {1: claim.epoch})
        with pytest.raises(JournalUnavailable):
            await journal.append([row(1, 1, "x", 1)], {1: claim.epoch}, [snapshot(row(1, 1, "x", 1))])
        with pytest.raises(JournalUnavailable):
            await journal.claim([1], "b")
        assert await replayed(journal, "x") == (None, [])
        locker.free()
        assert await journal.append([row(1, 1, "x", 1)], {1: claim.epoch}) == frozenset()
        assert await replayed(journal, "x") == (None, [row(1, 1, "x", 1)])
    finally:
        locker.close()
        await journal.close()


async def append_until_full(journal: SqliteJournal, epoch: int) -> int:
    """The number of events that were acknowledged before the journal was full."""
    for seq in range(1, 10_000):
        try:
            await journal.append([row(1, seq, "x", seq, data=b"\x55" * 4_000)], {1: epoch})
        except JournalFull:
            return seq - 1
    raise AssertionError("never full")


async def check_that_it_recovered(journal: SqliteJournal, epoch: int, written: int) -> None:
    next_one = row(1, written + 1, "x", written + 1)
    assert await journal.append([next_one], {1: epoch}) == frozenset()
    rows = await journal.feed(1, 0, 10_000)
    assert [one.seq for one in rows] == list(range(1, written + 2))
    assert rows[-1] == next_one


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield disk
    subprocess.run(["umount", disk], check=True)


async def test_a_full_disk_refuses_and_the_journal_goes_on_when_there_is_space(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    journal = await SqliteJournal.open(small_disk / "booking.sqlite", SHARDS)
    try:
        [claim] = await journal.claim([1], "a")
        written = await append_until_full(journal, claim.epoch)
        assert written > 0
        with pytest.raises(JournalFull):
            await journal.append([row(1, written + 1, "x", written + 1, data=bytes(4_000))], {1: claim.epoch})
        assert len(await journal.feed(1, 0, 10_000)) == written
        ballast.unlink()
        await check_that_it_recovered(journal, claim.epoch, written)
    finally:
        await journal.close()


FILE_LIMIT = """
import asyncio, resource, signal, sys
from pathlib import Path
from actors.journal.sqlite import SqliteJournal
from tests.actors.journal.sqlite.test_faults import append_until_full, check_that_it_recovered

async def main():
    journal = await SqliteJournal.open(Path(sys.argv[1]), 8)
    [claim] = await journal.claim([1], "a")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
    written = await append_until_full(journal, claim.epoch)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await check_that_it_recovered(journal, claim.epoch, written)
    await journal.close()
    print("recovered after", written)

asyncio.run(main())
"""


def test_a_file_that_may_not_grow_is_full_and_recovers_when_it_may(path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FILE_LIMIT, str(path)], capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.startswith("recovered after"), ended.stderr


@pytest.mark.parametrize("written", [True, False])
async def test_after_a_failed_sync_the_outcome_is_unknown_and_a_claim_settles_it(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    store = journal._writer.store
    write = store._write

    def write_with_failing_sync(statements: Statements, snapshots: Sequence[Snapshot]) -> int | None:
        if written:
            write(statements, snapshots)
        raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)

    [claim] = await journal.claim([1], "a")
    first = row(1, 1, "x", 1)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_write", write_with_failing_sync)
        with pytest.raises(OutcomeUnknown):
            await journal.append([first], {1: claim.epoch})
    [again] = await journal.claim([1], "a")
    assert again.last_seq == int(written)
    assert await replayed(journal, "x") == (None, [first] if written else [])
    following = row(1, again.last_seq + 1, "x", again.last_seq + 1)
    assert await journal.append([following], {1: claim.epoch}) == {1}
    assert await journal.append([following], {1: again.epoch}) == frozenset()


async def test_a_newer_schema_is_refused_with_both_versions_named(path: Path) -> None:
    await (await SqliteJournal.open(path, SHARDS)).close()
    file = apsw.Connection(str(path))
    file.execute("INSERT INTO migrations VALUES (99, '0099_future.sql', 'then')")
    file.close()
    with pytest.raises(Corrupted, match=r"schema version 99, this program knows up to \d+"):
        await SqliteJournal.open(path, SHARDS)


def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    path.write_bytes(b"BEGIN:VCALENDAR\r\n" * 1_000)
    with pytest.raises(Corrupted, match="cannot open the journal"):
        asyncio.run(SqliteJournal.open(path, SHARDS))


async def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="cannot open the journal"):
        await SqliteJournal.open(tmp_path / "missing" / "booking.sqlite", SHARDS)


async def test_the_number_of_shards_is_the_files(path: Path) -> None:
    await (await SqliteJournal.open(path, 7)).close()
    reopened = await SqliteJournal.open(path, 64)
    assert reopened.shards == 7
    await reopened.close()


async def test_a_version_used_twice_long_after_is_found_by_indexing_and_stops_all_appends(path: Path) -> None:
    """What the tail does not remember, the index finds; reading goes on."""
    journal = await SqliteJournal.open(path, SHARDS, window=4)
    [claim] = await journal.claim([1], "a")
    rows = [row(1, seq, f"e{seq}", 1) for seq in range(1, 9)]
    await journal.append(rows, {1: claim.epoch})
    await journal.close()
    journal = await SqliteJournal.open(path, window=1)
    try:
        await until_indexed(journal)
        [claim] = await journal.claim([1], "a")

        async def go_on() -> None:
            for seq in range(9, 1_000):
                await journal.append([row(1, seq, "e1" if seq == 9 else f"n{seq}", 1)], {1: claim.epoch})

        with pytest.raises(Corrupted, match="by_entity"):
            await go_on()
        with pytest.raises(Corrupted):
            await journal.append([row(1, 2_000, "other", 1)], {1: claim.epoch})
        assert await replayed(journal, "e2") == (None, [rows[1]])
    finally:
        await journal.close()


async def until_indexed(journal: SqliteJournal) -> None:
    """Polls with a deadline, as the writer indexes when it likes."""
    heads = journal._writer.store.heads
    async with asyncio.timeout(20):
        while heads.indexed < heads.last:
            await asyncio.sleep(0.001)


async def test_when_the_writer_thread_ends_every_call_that_waits_or_comes_is_unavailable(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    [claim] = await journal.claim([1], "a")

    def broken() -> None:
        raise SystemError("the interpreter ran out of something")

    monkeypatch.setattr(journal._writing, "_work", lambda jobs: broken())
    results = await asyncio.gather(
        *(journal.append([row(1, seq, "x", seq)], {1: claim.epoch}) for seq in (1, 2, 3)),
        return_exceptions=True,
    )
    assert [type(one) for one in results] == [JournalUnavailable] * 3
    with pytest.raises(JournalUnavailable, match="ended unexpectedly"):
        await journal.claim([1], "a")
    assert await replayed(journal, "x") == (None, [])


async def test_when_the_reader_thread_ends_replays_are_unavailable_and_appends_go_on(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise SystemError("the interpreter ran out of something")

    monkeypatch.setattr(journal._reading, "_work", lambda jobs: broken())
    results = await asyncio.gather(*(replayed(journal, id) for id in "xyz"), return_exceptions=True)
    assert [type(one) for one in results] == [JournalUnavailable] * 3
    [claim] = await journal.claim([1], "a")
    assert await journal.append([row(1, 1, "x", 1)], {1: claim.epoch}) == frozenset()


async def test_calls_beyond_the_bound_are_refused_at_once(journal: SqliteJournal, locker: Locker) -> None:
    [claim] = await journal.claim([1], "a")
    locker.take()
    limit = journal._writing._limit
    calls = [
        asyncio.ensure_future(journal.append([row(1, 1, "x", 1)], {1: claim.epoch})) for _ in range(limit)
    ]
    await asyncio.sleep(0)
    with pytest.raises(JournalUnavailable, match=f"{limit} calls are waiting"):
        await journal.append([row(1, 1, "x", 1)], {1: claim.epoch})
    locker.free()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert results[0] == frozenset()
    assert all(isinstance(one, Corrupted) for one in results[1:])


async def test_a_closed_journal_has_finished_what_was_queued_and_refuses_the_rest(path: Path) -> None:
    journal = await SqliteJournal.open(path, SHARDS)
    [claim] = await journal.claim([1], "a")
    appends = [
        asyncio.ensure_future(journal.append([row(1, seq, "x", seq)], {1: claim.epoch}))
        for seq in range(1, 21)
    ]
    await asyncio.sleep(0)
    await journal.close()
    assert await asyncio.gather(*appends) == [frozenset()] * 20
    for call in (journal.claim([1], "a"), journal.feed(1, 0, 1), journal.append([], {})):
        with pytest.raises(JournalUnavailable, match="closed"):
            await call
    await journal.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("booking ")]


async def test_a_second_journal_on_the_file_is_fenced_by_the_first_ones_claim_and_the_other_way_round(
    journal: SqliteJournal, path: Path
) -> None:
    other = await SqliteJournal.open(path)
    try:
        [mine] = await journal.claim([1], "a")
        await journal.append([row(1, 1, "x", 1)], {1: mine.epoch})
        theirs, free = await other.claim([1, 2], "b")
        assert theirs.last_seq == 1
        assert await journal.append([row(1, 2, "x", 2)], {1: mine.epoch}) == {1}
        assert (
            await other.append([row(1, 2, "x", 2), row(2, 1, "y", 1)], {1: theirs.epoch, 2: free.epoch})
            == set()
        )
        [again] = await journal.claim([1], "a")
        assert again.last_seq == 2
        assert await journal.append([row(1, 3, "x", 3)], {1: again.epoch}) == frozenset()
        assert await other.append(
            [row(1, 3, "x", 3), row(2, 2, "y", 2)], {1: theirs.epoch, 2: free.epoch}
        ) == {1}
        [third] = await other.claim([1], "b")
        assert third.last_seq == 3
        assert [one.seq for one in await other.feed(1, 0, 10)] == [1, 2, 3]
        assert [one.seq for one in await other.feed(2, 0, 10)] == [1, 2]
    finally:
        await other.close()


async def test_text_that_is_not_unicode_fails_that_append_alone(journal: SqliteJournal) -> None:
    [claim] = await journal.claim([1], "a")
    with pytest.raises(UnicodeEncodeError):
        await journal.append([row(1, 1, "\ud800", 1)], {1: claim.epoch})
    assert await journal.append([row(1, 1, "x", 1)], {1: claim.epoch}) == frozenset()
    assert await replayed(journal, "x") == (None, [row(1, 1, "x", 1)])


async def test_an_entity_is_read_beside_a_running_worker_indexed_or_not(path: Path) -> None:
    for window in (1, 16_384):
        journal = await SqliteJournal.open(path, SHARDS, window=window)
        try:
            [claim] = await journal.claim([1], "a")
            first = claim.last_seq + 1
            rows = [row(1, seq, f"x{window}", seq - first + 1) for seq in range(first, first + 5)]
            await journal.append(rows, {1: claim.epoch})
            assert read_entity(path, "space", f"x{window}") == rows
            assert read_entity(path, "space", f"x{window}", after=1, limit=2) == rows[1:3]
            assert read_entity(path, "space", "nobody") == []
        finally:
            await journal.close()


def test_reading_an_entity_of_no_journal_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="no journal"):
        read_entity(tmp_path / "none.sqlite", "space", "x")
    (tmp_path / "text.sqlite").write_text("not a database at all, but long enough to have a header" * 40)
    with pytest.raises(JournalError):
        read_entity(tmp_path / "text.sqlite", "space", "x")


async def test_replays_that_wait_together_are_answered_together(journal: SqliteJournal) -> None:
    claims = await journal.claim(range(SHARDS), "a")
    rows = [row(n % SHARDS, n // SHARDS + 1, f"e{n}", 1) for n in range(200)]
    await journal.append(rows, {claim.shard: claim.epoch for claim in claims})
    found = await asyncio.gather(*(journal.replay("space", f"e{n}", seen) for n in range(201)))
    assert found == [(None, [one]) for one in rows] + [(None, [])]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE events SET version = 'two' WHERE id = 'bad'",
        "UPDATE events SET by = CAST(x'ff' AS TEXT) WHERE id = 'bad'",
        "UPDATE snapshots SET seq = 'one' WHERE id = 'bad'",
    ],
)
async def test_columns_that_make_no_sense_are_the_failure_of_that_entity_alone(
    journal: SqliteJournal, path: Path, damage: str
) -> None:
    [claim] = await journal.claim([1], "a")
    rows = [row(1, 1, "good", 1), row(1, 2, "bad", 1), row(1, 3, "fine", 1)]
    await journal.append(rows, {1: claim.epoch}, [snapshot(rows[1])])
    file = apsw.Connection(str(path))
    file.execute(damage)
    file.close()
    good, bad, fine = await asyncio.gather(
        *(replayed(journal, id) for id in ("good", "bad", "fine")), return_exceptions=True
    )
    assert good == (None, [rows[0]])
    assert isinstance(bad, Corrupted)
    assert fine == (None, [rows[2]])
    assert await replayed(journal, "good") == (None, [rows[0]])
