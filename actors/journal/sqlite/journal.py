"""The journal's port on SQLite, for the loop: calls become jobs of the writer's or the reader's thread."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from actors.journal.port import Claim, Corrupted, Fold, JournalError, Row, Snapshot, Tenure
from actors.journal.sqlite.following import Heads, SqliteFeed
from actors.journal.sqlite.identity import identity_of
from actors.journal.sqlite.indexer import WINDOW
from actors.journal.sqlite.reader import Reader, Replay
from actors.journal.sqlite.thread import Job, JobThread
from actors.journal.sqlite.writer import Writer
from actors.settings import JournalSettings

T = TypeVar("T")

_WRITES_WAITING = 1_024
_READS_WAITING = 8_192


class _ReplayJob(Job):
    """A replay, which the reader does together with its neighbours."""

    __slots__ = ("replay",)

    def __init__(self, replay: Replay) -> None:
        super().__init__(_done_together)
        self.replay = replay


def _done_together() -> None:
    raise AssertionError("replays are done by the reader")


class SqliteJournal:
    """See ``port.Journal`` for the methods. Made by ``open``.

    Several processes of one host may have the file open. What others append to shards that were not claimed
    here is found when it is indexed, or by claiming the shard."""

    def __init__(self, writer: Writer, reader: Reader, path: Path, lock_seconds: float) -> None:
        name = path.stem
        self._identity = identity_of(path)
        self._writer = writer
        self._reader = reader
        self._writing = JobThread(
            f"{name} writer",
            writer.work,
            limit=_WRITES_WAITING,
            at_once=1,
            patience=lock_seconds,
            rest=writer.rest,
            finish=writer.close,
        )
        self._knows_shards = False
        self._heads = Heads(reader, writer.store.shards)
        self._reading = JobThread(f"{name} reader", self._read, limit=_READS_WAITING, finish=reader.close)

    @classmethod
    async def open(
        cls, path: Path, shards: int = 64, settings: JournalSettings | None = None, *, window: int = WINDOW
    ) -> "SqliteJournal":
        """Open or make the file; ``shards`` counts only when it is made.

        ``window`` is how many events are indexed together. Raises ``JournalUnavailable``, ``JournalFull``,
        or ``Corrupted`` when the file is of a later version or no journal."""
        lock_seconds = (settings or JournalSettings()).lock_seconds

        def both() -> tuple[Writer, Reader]:
            writer = Writer(path, shards, lock_seconds, window)
            try:
                return writer, Reader(path, writer.store.heads.tail, lock_seconds)
            except BaseException:
                writer.close()
                raise

        return cls(*await asyncio.to_thread(both), path, lock_seconds)

    @property
    def shards(self) -> int:
        """The file's number of shards."""
        return self._writer.store.shards

    @property
    def identity(self) -> str:
        """What tells this journal from any other: the same in all processes that have the file open."""
        return self._identity

    @property
    def dead(self) -> str:
        """Why one of the threads serves no more; empty while both do. The journal's owner watches it."""
        return self._writing.dead or self._reading.dead

    async def claim(
        self, shards: Sequence[int], owner: str, after: Mapping[int, int] | None = None
    ) -> list[Claim]:
        """See ``port.Journal.claim``."""
        self._knows_shards = True
        return await self._write(lambda: self._writer.claim(shards, owner, after))

    async def tenures(self) -> list[Tenure]:
        """See ``port.Journal.tenures``. Waits for no write, whoever makes it."""
        tenures: list[Tenure] = await self._reading.submit(Job(lambda: self._reader.tenures(self.shards)))
        return tenures

    async def release(self, epochs: Mapping[int, int]) -> None:
        """See ``port.Journal.release``."""
        await self._write(lambda: self._writer.release(epochs))

    async def append(
        self, rows: Sequence[Row], epochs: Mapping[int, int], snapshots: Sequence[Snapshot] = ()
    ) -> frozenset[int]:
        """See ``port.Journal.append``."""
        return await self._write(lambda: self._writer.append(rows, epochs, snapshots))

    async def replay(self, aggregate: str, id: str, fold: Fold[T]) -> T:
        """See ``port.Journal.replay``."""
        if not self._knows_shards:
            await self._learn()
        result: T = await self._reading.submit(_ReplayJob(Replay(aggregate, id, fold)))
        return result

    async def replay_all(self, aggregate: str, id: str, fold: Fold[T], upto: int | None = None) -> T:
        """See ``port.Journal.replay_all``."""
        if not self._knows_shards:
            await self._learn()
        result: T = await self._reading.submit(
            Job(lambda: self._reader.replay_all(aggregate, id, fold, upto))
        )
        return result

    async def history(self, aggregate: str, id: str, after: int, limit: int) -> list[Row]:
        """See ``port.Journal.history``."""
        if not self._knows_shards:
            await self._learn()
        rows: list[Row] = await self._reading.submit(
            Job(lambda: self._reader.history(aggregate, id, after, limit))
        )
        return rows

    async def feed(self, shard: int, after: int, limit: int) -> list[Row]:
        """See ``port.Journal.feed``."""
        if not self._knows_shards:
            await self._learn()
        rows: list[Row] = await self._reading.submit(Job(lambda: self._reader.feed(shard, after, limit)))
        return rows

    def follow(self, after: Mapping[int, int]) -> SqliteFeed:
        """See ``port.Journal.follow``."""
        return SqliteFeed(self._on_reader, self._reader, self.shards, after)

    async def heads(self) -> dict[int, int]:
        """See ``port.Journal.heads``."""
        heads: dict[int, int] = await self._on_reader(self._heads.look)
        return heads

    async def close(self) -> None:
        """Finish what is queued, end the threads, let go of the file."""
        await self._reading.close()
        await self._writing.close()

    async def _learn(self) -> None:
        """Whoever reads without having claimed anything, a tool, finds all that is committed by now."""
        await self._write(self._writer.hold_all)
        self._knows_shards = True

    async def _on_reader(self, run: Callable[[], T]) -> T:
        result: T = await self._reading.submit(Job(run))
        return result

    async def _write(self, run: Callable[[], T]) -> T:
        result: T = await self._writing.submit(Job(run))
        return result

    def _read(self, jobs: list[Job]) -> None:
        replays = [job for job in jobs if isinstance(job, _ReplayJob)]
        if replays:
            self._replay(replays)
        for other in jobs:
            if not isinstance(other, _ReplayJob):
                other.do()

    def _replay(self, jobs: list[_ReplayJob]) -> None:
        try:
            folds = self._reader.replays([job.replay for job in jobs])
        except JournalError as error:
            if isinstance(error, Corrupted) and len(jobs) > 1:
                # What is wrong with one entity is no fault of its neighbours.
                for job in jobs:
                    self._replay([job])
            else:
                for job in jobs:
                    job.error = error
            return
        for job, fold in zip(jobs, folds, strict=True):
            job.run = fold
            job.do()
