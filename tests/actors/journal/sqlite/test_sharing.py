"""Several processes of a host on one file: nothing lost, nothing doubled, nobody told that it is busy."""

import asyncio
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from actors.journal.port import JournalUnavailable, Row, Tenure
from actors.journal.sqlite import SqliteJournal
from actors.journal.sqlite.heads import Heads
from actors.journal.sqlite.store import Store
from actors.journal.sqlite.turn import Turn
from actors.settings import JournalSettings
from tests.actors.journal.conformance import SHARDS, replayed, row, seen

ROOT = Path(__file__).parents[4]
PATIENCE = 40.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "booking.sqlite"


class Process:
    """A contender and the lines it has printed, which a thread collects with those of the others."""

    def __init__(self, path: Path, number: int, claims: float, shards: list[int], facts: "Facts") -> None:
        arguments = [str(path), str(number), str(claims), ",".join(map(str, shards))]
        self.number = number
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.actors.journal.sqlite.contender", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._facts = facts
        self._reader = threading.Thread(target=self._collect)
        self._reader.start()

    def _collect(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            # The last line of a killed process may be cut off.
            if line.endswith("\n"):
                self._facts.lines.put((self.number, line.split()))

    def kill(self) -> None:
        """SIGKILL, at whatever it is doing."""
        self._child.kill()
        self._end()

    def stop(self) -> None:
        """Let it finish and close."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._end()

    def _end(self) -> None:
        try:
            self._child.wait(PATIENCE)
        finally:
            self._child.kill()
            self._child.wait()
            self._reader.join()
            for stream in (self._child.stdin, self._child.stdout):
                if stream is not None:
                    stream.close()


class Facts:
    """What contenders have said."""

    def __init__(self) -> None:
        self.lines: queue.Queue[tuple[int, list[str]]] = queue.Queue()
        self.acknowledged: dict[tuple[int, int], str] = {}
        self.by_number: dict[int, int] = {}
        self.upkeep: list[int] = []
        self.ready: set[int] = set()
        self.faults: list[str] = []

    def read(self) -> bool:
        """Take in one line, if there is one soon."""
        try:
            number, words = self.lines.get(timeout=0.2)
        except queue.Empty:
            return False
        match words:
            case ["ack", shard, seq, tag]:
                place = int(shard), int(seq)
                if place in self.acknowledged:
                    self.faults.append(f"{place} was acknowledged twice")
                self.acknowledged[place] = tag
                self.by_number[number] = self.by_number.get(number, 0) + 1
            case ["mine"]:
                self.upkeep.append(number)
            case ["ready"]:
                self.ready.add(number)
            case _:
                self.faults.append(f"{number}: {' '.join(words)}")
        return True

    def until(self, condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + PATIENCE
        while not condition():
            self.read()
            assert not self.faults
            assert time.monotonic() < give_up, (self.by_number, self.upkeep, self.ready)

    def rest(self) -> None:
        """What was said before the ends."""
        while not self.lines.empty():
            self.read()
        assert not self.faults


async def stored(path: Path) -> list[Row]:
    """All rows, after checks that indexes and sequences are whole."""
    journal = await SqliteJournal.open(path)
    try:
        rows: list[Row] = []
        for shard in range(SHARDS):
            of_shard = await journal.feed(shard, 0, 1_000_000)
            assert [one.seq for one in of_shard] == list(range(1, len(of_shard) + 1))
            by_id: dict[str, list[Row]] = {}
            for one in of_shard:
                by_id.setdefault(one.id, []).append(one)
            for id, of_entity in by_id.items():
                assert [one.version for one in of_entity] == list(range(1, len(of_entity) + 1))
                assert await journal.replay("space", id, seen) == (None, of_entity)
            rows += of_shard
        return rows
    finally:
        await journal.close()


def check(path: Path, facts: Facts) -> None:
    rows = asyncio.run(stored(path))
    tags = {(one.shard, one.seq): one.command_id.decode() for one in rows}
    assert len(set(tags.values())) == len(tags)
    missing = {place: tag for place, tag in facts.acknowledged.items() if tags.get(place) != tag}
    assert not missing


@pytest.mark.parametrize("seed", [1, 2])
def test_processes_that_claim_from_each_other_and_are_killed_lose_and_double_nothing(
    path: Path, seed: int
) -> None:
    chance, facts = random.Random(seed), Facts()
    running = {n: Process(path, n, 0.1, [2 * n, 2 * n + 1], facts) for n in range(4)}
    try:
        for next_number in (4, 5, 6):
            more = len(facts.acknowledged) + chance.randint(100, 600)
            facts.until(lambda more=more: len(facts.acknowledged) >= more)  # type: ignore[misc]
            running.pop(chance.choice([*running])).kill()
            running[next_number] = Process(path, next_number, 0.1, [next_number], facts)
        facts.until(lambda: all(facts.by_number.get(n, 0) >= 50 for n in running))
        for process in running.values():
            process.stop()
        facts.rest()
        running.clear()
    finally:
        for process in running.values():
            process.kill()
    check(path, facts)


OUTSIDER = """
import sqlite3, sys, time
file = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
print("begun", flush=True)
for turn in range(4):
    file.execute("BEGIN IMMEDIATE")
    time.sleep(0.3)
    file.execute("ROLLBACK")
    time.sleep(0.01)
print("done", flush=True)
"""


def test_workers_go_on_while_an_outside_process_takes_the_write_lock_again_and_again(path: Path) -> None:
    facts = Facts()
    workers = [Process(path, n, 0.0, list(range(n * 4, n * 4 + 4)), facts) for n in range(2)]
    outsider: subprocess.Popen[str] | None = None
    try:
        facts.until(lambda: all(facts.by_number.get(n, 0) >= 20 for n in range(2)))
        outsider = subprocess.Popen(
            [sys.executable, "-c", OUTSIDER, str(path)], stdout=subprocess.PIPE, text=True
        )
        out, _ = outsider.communicate(timeout=PATIENCE)
        assert out.split() == ["begun", "done"]
        before = dict(facts.by_number)
        facts.until(lambda: all(facts.by_number[n] >= before[n] + 20 for n in range(2)))
        for worker in workers:
            worker.stop()
        facts.rest()
    finally:
        for worker in workers:
            worker.kill()
        if outsider is not None:
            outsider.kill()
    check(path, facts)


def test_when_the_process_that_does_the_upkeep_is_killed_another_does_it(path: Path) -> None:
    facts = Facts()
    running = {0: Process(path, 0, 0.0, [0, 1], facts)}
    try:
        facts.until(lambda: facts.upkeep == [0])
        running[1] = Process(path, 1, 0.0, [2, 3], facts)
        facts.until(lambda: facts.by_number.get(1, 0) >= 20)
        assert facts.upkeep == [0]
        running.pop(0).kill()
        facts.until(lambda: facts.upkeep == [0, 1])
        running.pop(1).stop()
        facts.rest()
    finally:
        for process in running.values():
            process.kill()
    check(path, facts)


HOLDER = """
import sys
from pathlib import Path
from actors.journal.sqlite.turn import Turn
turn = Turn(Path(sys.argv[1]))
turn.take()
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has its turn and does not end it, like one that was stopped."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    yield child
    child.kill()
    child.communicate()


async def test_a_turn_that_is_never_over_is_unavailable_and_ends_with_its_process(
    path: Path, request: pytest.FixtureRequest
) -> None:
    journal = await SqliteJournal.open(path, SHARDS, JournalSettings(lock_seconds=0.2))
    try:
        [claim] = await journal.claim([1], "a")
        holder: subprocess.Popen[str] = request.getfixturevalue("holder")
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == "taken\n"
        appends = [journal.append([row(1, seq, "x", seq)], {1: claim.epoch}) for seq in (1, 2)]
        for refused in await asyncio.gather(*appends, journal.claim([2], "a"), return_exceptions=True):
            assert isinstance(refused, JournalUnavailable)
            assert "another process holds the journal's lock" in str(refused)
        assert await replayed(journal, "x") == (None, [])
        holder.kill()
        assert await append_patiently(journal, row(1, 1, "x", 1), claim.epoch) == frozenset()
        assert await replayed(journal, "x") == (None, [row(1, 1, "x", 1)])
    finally:
        await journal.close()


def test_one_that_is_stopped_while_it_waits_for_its_turn_is_passed_by(
    path: Path, request: pytest.FixtureRequest
) -> None:
    store, turn = Store(path, SHARDS, 1.0, stretch=64), Turn(path)
    [claim] = store.claim([1], "a", lambda: None)
    turn.take()
    waiting: subprocess.Popen[str] = request.getfixturevalue("holder")
    give_up = time.monotonic() + PATIENCE
    while not turn.wanted:
        assert time.monotonic() < give_up
    waiting.send_signal(signal.SIGSTOP)
    turn.free()
    for seq in range(1, 21):
        store.append([row(1, seq, "x", seq)], {1: claim.epoch}, (), lambda: None)
    waiting.kill()
    waiting.wait(PATIENCE)
    assert turn.wanted
    store.append([row(1, 21, "x", 21)], {1: claim.epoch}, (), lambda: None)
    assert not turn.wanted
    turn.close()
    store.close()


async def append_patiently(journal: SqliteJournal, one: Row, epoch: int) -> frozenset[int]:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await journal.append([one], {one.shard: epoch})
            except JournalUnavailable:
                await asyncio.sleep(0.01)


def test_whoever_has_written_does_not_write_again_before_one_that_waits(path: Path) -> None:
    first, second = Turn(path), Turn(path)
    first.take()
    over = threading.Event()

    def wait_and_write() -> None:
        with second:
            assert over.wait(PATIENCE)

    thread = threading.Thread(target=wait_and_write)
    thread.start()
    give_up = time.monotonic() + PATIENCE
    while not first.wanted:
        assert time.monotonic() < give_up
    first.free()
    assert not first.try_take()
    over.set()
    first.take()
    thread.join()
    first.free()
    assert not first.wanted
    for one in (first, second):
        one.close()


def test_a_place_in_the_queue_that_a_killed_process_has_left_is_given_up(path: Path) -> None:
    turn, other = Turn(path), Turn(path)
    path.with_name(path.name + "-queue").write_bytes(b"\1")
    assert turn.wanted
    with turn:
        assert not other.wanted
        assert not other.try_take()
    path.with_name(path.name + "-queue").write_bytes(b"\1")
    assert other.try_take()
    assert not turn.wanted
    other.free()
    for one in (turn, other):
        one.close()


class Counted:
    """How often the file was read again."""

    def __init__(self, heads: Heads, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = self.holds = 0
        look, hold = heads.look, heads.hold

        def counted_look() -> None:
            self.looks += 1
            look()

        def counted_hold(shards: list[int]) -> None:
            self.holds += 1
            hold(shards)

        monkeypatch.setattr(heads, "look", counted_look)
        monkeypatch.setattr(heads, "hold", counted_hold)


def test_an_append_of_another_process_costs_nothing_and_its_claim_one_look(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [Store(path, SHARDS, 1.0, stretch=64) for _ in range(2)]
    mine, theirs = (one.claim([n], "a", lambda: None)[0] for n, one in enumerate(stores))
    stores[0].append([row(0, 1, "x", 1)], {0: mine.epoch}, (), lambda: None)
    counted = Counted(stores[0].heads, monkeypatch)
    for seq in range(1, 6):
        stores[1].append([row(1, seq, "y", seq)], {1: theirs.epoch}, (), lambda: None)
        stores[0].append([row(0, seq + 1, "x", seq + 1)], {0: mine.epoch}, (), lambda: None)
    assert (counted.looks, counted.holds) == (0, 0)
    stores[1].claim([2, 3], "b", lambda: None)
    for seq in range(7, 10):
        stores[0].append([row(0, seq, "x", seq)], {0: mine.epoch}, (), lambda: None)
    assert (counted.looks, counted.holds) == (1, 0)
    for one in stores:
        one.close()


async def test_a_shard_that_comes_back_is_read_with_what_others_have_appended(path: Path) -> None:
    ours, others = await SqliteJournal.open(path, SHARDS), await SqliteJournal.open(path)
    try:
        [first] = await ours.claim([1], "a")
        rows = [row(1, seq, "x", seq) for seq in range(1, 7)]
        await ours.append(rows[:2], {1: first.epoch})
        [second] = await others.claim([1], "b")
        assert await replayed(others, "x") == (None, rows[:2])
        await others.append(rows[2:4], {1: second.epoch})
        assert await ours.append([], {1: first.epoch}) == {1}
        [third] = await ours.claim([1], "a")
        assert third.last_seq == 4
        await ours.append(rows[4:], {1: third.epoch})
        assert await replayed(ours, "x") == (None, rows)
        assert await ours.feed(1, 0, 10) == rows
        assert await others.append([row(1, 5, "x", 5)], {1: second.epoch}) == {1}
    finally:
        await ours.close()
        await others.close()


async def test_of_two_processes_that_claim_after_the_same_epochs_each_shard_has_one(path: Path) -> None:
    journals = [await SqliteJournal.open(path, SHARDS) for _ in range(2)]
    try:
        for epoch in range(20):
            after = dict.fromkeys(range(SHARDS), epoch)
            claims = await asyncio.gather(
                *(one.claim(range(n, SHARDS - 1 + n), f"{n}", after) for n, one in enumerate(journals))
            )
            assert sorted(claim.shard for of_one in claims for claim in of_one) == list(range(SHARDS))
            tenures = await journals[0].tenures()
            assert {one.epoch for one in tenures} == {epoch + 1}
            for n, of_one in enumerate(claims):
                assert {claim.shard for claim in of_one} == {t.shard for t in tenures if t.owner == f"{n}"}
    finally:
        for one in journals:
            await one.close()


async def test_whose_shards_are_is_told_while_another_process_writes(path: Path) -> None:
    journal = await SqliteJournal.open(path, SHARDS, JournalSettings(lock_seconds=PATIENCE))
    outsider = apsw.Connection(str(path))
    try:
        await journal.claim([1], "a")
        outsider.execute("BEGIN IMMEDIATE")
        released = asyncio.create_task(journal.release({1: 1}))
        assert (await journal.tenures())[1] == Tenure(1, 1, "a")
        outsider.execute("ROLLBACK")
        await released
        assert (await journal.tenures())[1] == Tenure(1, 1, "")
    finally:
        outsider.close()
        await journal.close()


async def test_a_file_has_one_identity_by_whatever_name_and_another_file_another(path: Path) -> None:
    link = path.with_name("link.sqlite")
    link.symlink_to(path)
    journals = [await SqliteJournal.open(one, SHARDS) for one in (path, link, path.with_name("other.sqlite"))]
    for one in journals:
        await one.close()
    first, second, other = (one.identity for one in journals)
    assert first.startswith("sqlite:")
    assert first == second != other


async def test_processes_that_open_a_new_file_at_once_make_it_once(path: Path) -> None:
    opened = await asyncio.gather(*(SqliteJournal.open(path, SHARDS) for _ in range(6)))
    for one in opened:
        await one.close()
    assert [one.shards for one in opened] == [SHARDS] * 6
