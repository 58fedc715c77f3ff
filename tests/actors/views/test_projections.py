"""Views follow their shards: through failures of the store, handovers, rebuilds and other releases."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from actors.journal.memory import MemoryJournal
from actors.journal.port import JournalUnavailable, Row
from actors.lease import Lease
from actors.messages import Ask
from actors.region import Region, shard_of, wall_clock
from actors.settings import Settings
from actors.stage import Stage
from actors.views import pump
from actors.views.batch import Batch
from actors.views.folding import Folding
from actors.views.memory import MemoryViews
from actors.views.port import Done, Generation, ViewsUnavailable, Wanted, Work
from actors.views.projections import Projections
from actors.views.projector import ProjectorState
from tests.actors.views.guestbook import Faults, Write, folding, manifest

SHARDS = 4
PATIENCE = 10.0


class FaultyViews(MemoryViews):
    """A store that fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.fail_before = 0
        """So many calls of ``project`` do nothing and fail."""
        self.fail_after = 0
        """So many are done, and fail all the same."""
        self.works: list[Work] = []

    async def project(self, works: Sequence[Work]) -> list[Done]:
        self.works += works
        if self.fail_before:
            self.fail_before -= 1
            raise ViewsUnavailable("the store is away")
        done = await super().project(works)
        if self.fail_after:
            self.fail_after -= 1
            raise ViewsUnavailable("the answer is missing")
        return done


class Worker:
    """One worker's region and projections."""

    def __init__(
        self,
        name: str,
        journal: MemoryJournal,
        store: MemoryViews,
        settings: Settings,
        wall: Any = wall_clock,
    ) -> None:
        self.stage = Stage()
        self.region = Region(manifest(), journal, self.stage, settings, name, Lease(), wall)
        clock = asyncio.get_running_loop().time
        self.projections = Projections(self.region, store, settings.views, clock)

    async def open(self, *shards: int) -> "Worker":
        await self.projections.open()
        await self.region.take(shards)
        return self

    async def close(self) -> None:
        await self.projections.close()
        await self.region.drain(1.0)
        await self.region.close()
        self.stage.shutdown()

    async def write(self, id: str, line: str = "x") -> None:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[object] = loop.create_future()
        self.region.tell(Ask("book", id, Write(line), loop.time() + PATIENCE, answered.set_result))
        await asyncio.wait_for(answered, PATIENCE)


def settings(**views: Any) -> Settings:
    return msgspec.convert({"views": {"backoff": 0.001, **views}}, Settings)


@pytest.fixture
async def parts(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Worker]]:
    Faults.broken = True
    monkeypatch.setattr(pump, "AGAIN", (0.001,))
    workers: list[Worker] = []
    yield workers
    for worker in workers:
        await worker.close()


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


async def replayed(journal: MemoryJournal, of: Folding) -> dict[str, bytes]:
    """What a fresh replay of the journal comes to."""
    documents: dict[str, bytes] = {}
    for shard in range(SHARDS):
        rows: list[Row] = await journal.feed(shard, 0, 1_000_000)
        batch = Batch([Work(1, shard, 0, rows, of)], {(1, shard): 0})
        batch.wanted()
        batch.fold({1: documents})
        assert batch.done[0].failure is None
        for key, change in batch.changes.get(1, {}).items():
            if change.document is None:
                documents.pop(key, None)
            else:
                documents[key] = change.document
    return documents


async def shown(store: MemoryViews, view: str) -> dict[str, bytes]:
    reading = await store.read([Wanted(view, limit=1_000_000)])
    return {one.key: one.document for one in reading.pages[0].found if one.document is not None}


async def equal_to_replay(journal: MemoryJournal, store: MemoryViews) -> None:
    heads = await journal.heads()
    async with asyncio.timeout(PATIENCE):
        while True:
            standings = await store.standings(["pages", "sums"])
            if all(dict(one.positions) == heads for one in standings.values()):
                break
            await asyncio.sleep(0.001)
    for view in ("pages", "sums"):
        assert await shown(store, view) == await replayed(journal, folding(view))


async def test_what_was_committed_before_is_caught_up_and_what_comes_is_followed(
    parts: list[Worker],
) -> None:
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    first = await Worker("a", journal, FaultyViews(), settings()).open(*range(SHARDS))
    parts.append(first)
    for number in range(50):
        await first.write(f"b{number % 9}", f"{number}")
    second = await Worker("b", journal, store, settings(page=7, batch=5)).open(*range(SHARDS))
    parts.append(second)
    for number in range(50):
        await second.write(f"b{number % 9}", f"{number}")
    await equal_to_replay(journal, store)


async def test_more_than_may_wait_is_read_from_the_journal_again(parts: list[Worker]) -> None:
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    worker = await Worker("a", journal, store, settings(pending=1, page=3)).open(*range(SHARDS))
    parts.append(worker)
    await asyncio.gather(*(worker.write(f"b{number % 3}") for number in range(200)))
    await equal_to_replay(journal, store)


@pytest.mark.parametrize("seed", range(10))
async def test_a_store_that_fails_before_or_after_its_commit_loses_and_doubles_nothing(
    parts: list[Worker], seed: int
) -> None:
    drawn = random.Random(seed)
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    worker = await Worker("a", journal, store, settings(page=4)).open(*range(SHARDS))
    parts.append(worker)
    for number in range(40):
        if drawn.random() < 0.1:
            store.fail_before += 1
        if drawn.random() < 0.1:
            store.fail_after += 1
        id = f"b{drawn.randint(0, 5)}"
        await worker.write(id, drawn.choice([f"{number}", "tear", f"share {id} {id}-copy"]))
    await worker.write("b0")
    await equal_to_replay(journal, store)


@pytest.mark.parametrize("seed", range(5))
async def test_two_workers_fold_every_event_once_while_shards_change_hands(
    parts: list[Worker], seed: int
) -> None:
    drawn = random.Random(seed)
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    workers = [await Worker("a", journal, store, settings()).open(*range(SHARDS))]
    workers.append(await Worker("b", journal, store, settings()).open())
    parts += workers
    for number in range(120):
        id = f"b{drawn.randint(0, 9)}"
        owner = next(w for w in workers if shard_of("book", id, SHARDS) in w.region.shards)
        await owner.write(id, drawn.choice([f"{number}", "tear", f"share {id} {id}-copy"]))
        if number % 10 == 9:
            owner = drawn.choice([w for w in workers if w.region.shards])
            other = workers[1 - workers.index(owner)]
            moving = drawn.choice(list(owner.region.shards))
            epoch = await owner.region.hand_over(moving, 1.0)
            await journal.release({moving: epoch})
            await other.region.take([moving])
    await equal_to_replay(journal, store)


async def test_an_event_that_cannot_be_folded_is_tried_so_often_and_then_parked(parts: list[Worker]) -> None:
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    worker = await Worker("a", journal, store, settings(attempts=4)).open(*range(SHARDS))
    parts.append(worker)
    shard = shard_of("book", "bad", SHARDS)
    await worker.write("bad", "break fold")
    projectors = worker.projections.projectors
    await until(lambda: any(p.parked for p in projectors.values()))
    tried = [w for w in store.works if w.shard == shard and w.rows and w.rows[0].type == "Broken"]
    pages = [w for w in tried if w.folding.shape.view == "pages"]
    assert len(pages) == 4, "so many attempts and not one more"
    parked = [p for p in projectors.values() if p.parked]
    assert [(p.view, p.shard, p.state) for p in parked] == [("pages", shard, ProjectorState.PARKED)]
    assert "pages" in worker.projections.trouble()
    other = next(f"b{n}" for n in range(99) if shard_of("book", f"b{n}", SHARDS) != shard)
    await worker.write(other, "goes on")
    await until(lambda: store.works[-1].shard != shard)
    Faults.broken = False
    assert worker.projections.release("pages", shard)
    await equal_to_replay(journal, store)
    assert worker.projections.trouble() == ""


@pytest.mark.parametrize("rounds", [2])
async def test_a_rebuild_under_load_answers_from_one_generation_and_equals_a_replay(
    parts: list[Worker], rounds: int
) -> None:
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    worker = await Worker("a", journal, store, settings(page=5, batch=10)).open(*range(SHARDS))
    parts.append(worker)
    for number in range(100):
        await worker.write(f"b{number % 9}", f"{number}")
    answered: list[tuple[int, int]] = []

    async def load() -> None:
        for number in range(300):
            await worker.write(f"b{number % 9}", "tear" if number % 50 == 0 else f"{number}")
            reading = await store.read([Wanted("pages", limit=1_000, total=True)])
            standing = reading.standings["pages"]
            assert reading.pages[0].total == len(reading.pages[0].found)
            answered.append((standing.generation, sum(standing.positions.values())))

    loading = asyncio.get_running_loop().create_task(load())
    built: list[Generation] = []
    for _ in range(rounds):
        built.append(await worker.projections.rebuild("pages"))
        number = built[-1].number
        await until(lambda number=number: (g := worker.projections.generations.get(number)) and g.live)
    await loading
    await equal_to_replay(journal, store)
    assert answered == sorted(answered), "no answer is of an older generation or an earlier position"
    assert answered[-1][0] == built[-1].number
    assert len([g for g in await store.generations() if g.view == "pages"]) == 1


async def test_a_generation_of_another_release_is_left_to_it(parts: list[Worker]) -> None:
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    worker = await Worker("a", journal, store, settings()).open(*range(SHARDS))
    parts.append(worker)
    newer = msgspec.structs.replace(folding("pages").shape, fingerprint="0" * 16)
    await store.prepare([newer])
    worker.projections.changed()
    await until(lambda: len(worker.projections.generations) == 3)
    await worker.write("a")
    [building] = [number for number, g in worker.projections.generations.items() if not g.live]
    assert all(number != building for number, _ in worker.projections.projectors)
    await equal_to_replay(journal, store)


async def test_a_journal_that_cannot_be_read_for_a_while_holds_up_and_loses_nothing(
    parts: list[Worker], caplog: pytest.LogCaptureFixture
) -> None:
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    first = await Worker("a", journal, FaultyViews(), settings()).open(*range(SHARDS))
    parts.append(first)
    for number in range(20):
        await first.write(f"b{number}")
    journal.fail_read(JournalUnavailable("away"))
    second = await Worker("b", journal, store, settings()).open(*range(SHARDS))
    parts.append(second)
    await until(lambda: "views cannot be folded" in caplog.text)
    await equal_to_replay(journal, store)


async def test_a_clock_set_back_changes_nothing(parts: list[Worker]) -> None:
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    now = wall_clock()
    worker = await Worker("a", journal, store, settings(), lambda: now).open(*range(SHARDS))
    parts.append(worker)
    for number in range(20):
        await worker.write(f"b{number % 3}", f"{number}")
    now -= 3_600_000_000
    for number in range(20):
        await worker.write(f"b{number % 3}", f"{number}")
    await equal_to_replay(journal, store)
    standing = (await store.standings(["pages"]))["pages"]
    assert worker.projections.age(standing) == 0.0
    heads = await journal.heads()
    assert await worker.projections.fresh(["pages", "sums"], heads, asyncio.get_running_loop().time()) is None


async def test_who_waits_for_more_than_there_is_is_told_how_far_it_is(parts: list[Worker]) -> None:
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    worker = await Worker("a", journal, store, settings()).open(*range(SHARDS))
    parts.append(worker)
    await worker.write("a")
    shard = shard_of("book", "a", SHARDS)
    await equal_to_replay(journal, store)
    clock = asyncio.get_running_loop().time
    assert await worker.projections.fresh(["pages"], {shard: 2}, clock() + 0.01) == {shard: 1}


async def test_a_view_that_stands_still_grows_old(parts: list[Worker]) -> None:
    journal, store = MemoryJournal(SHARDS), FaultyViews()
    worker = await Worker("a", journal, store, settings()).open(*range(SHARDS))
    parts.append(worker)
    await worker.projections.pause("pages", True)
    await until(lambda: all(p.paused for p in worker.projections.projectors.values() if p.view == "pages"))
    await worker.write("a")
    old = (await store.standings(["pages"]))["pages"]
    await until(lambda: worker.projections.age(old) > 0.001)
    await worker.projections.pause("pages", False)
    await equal_to_replay(journal, store)
    fresh = (await store.standings(["pages"]))["pages"]
    assert worker.projections.age(fresh) == 0.0
