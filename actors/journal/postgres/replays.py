"""Replays: those that are asked for together are read by two queries and folded off the loop."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

from actors.journal.port import Corrupted, Fold, JournalUnavailable, Row, Snapshot
from actors.journal.postgres.reading import Read

_log = logging.getLogger(__name__)

CHUNK = 500
"""Rows of one entity that are fetched at once: an entity with many events is read while it is folded."""
_AT_ONCE = 64
"""Replays by one query."""
_WAITING = 8_192
_LAST = 2**63 - 1
_BACKSTOP_SECONDS = 300.0
"""A thread that waits for a chunk is told of every failure; this is for the one that it is not told of."""


@dataclass(eq=False, slots=True)
class Replay:
    """One entity to be folded, from its snapshot if it may, up to a version if one is given."""

    aggregate: str
    id: str
    fold: Fold[Any]
    from_snapshot: bool
    upto: int | None
    future: "asyncio.Future[Any]"
    snapshot: Snapshot | None = None

    @property
    def first(self) -> int:
        """The first version that is read."""
        return self.snapshot.version + 1 if self.snapshot is not None else 1

    @property
    def last(self) -> int:
        """The last version that is wanted."""
        return _LAST if self.upto is None else self.upto


class Replays:
    """``read`` runs a query by its name; ``batches`` may be under way at once."""

    def __init__(self, read: Read, name: str, batches: int) -> None:
        self._read = read
        self._limit = batches
        self._loop = asyncio.get_running_loop()
        self._pending: deque[Replay] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(batches, thread_name_prefix=f"{name} folds")
        self._closed = False

    def submit(
        self, aggregate: str, id: str, fold: Fold[Any], *, from_snapshot: bool, upto: int | None = None
    ) -> "asyncio.Future[Any]":
        """What ``fold`` makes of it. Raises ``JournalUnavailable`` when too many wait or it is closed."""
        if self._closed:
            raise JournalUnavailable("the journal is closed")
        if len(self._pending) >= _WAITING:
            raise JournalUnavailable(f"{_WAITING} replays are waiting already")
        future = self._loop.create_future()
        if not self._pending:
            # At the end of this turn, so that what is asked for in it goes into one query.
            self._loop.call_soon(self._launch)
        self._pending.append(Replay(aggregate, id, fold, from_snapshot, upto, future))
        return future

    async def close(self) -> None:
        """Finish what was asked for, then end the threads."""
        self._closed = True
        while self._tasks or self._pending:
            self._launch()
            await asyncio.wait(self._tasks)
        await asyncio.to_thread(self._threads.shutdown)

    def _launch(self) -> None:
        while self._pending and len(self._tasks) < self._limit:
            batch = [self._pending.popleft() for _ in range(min(_AT_ONCE, len(self._pending)))]
            task = self._loop.create_task(self._serve(batch))
            self._tasks.add(task)
            task.add_done_callback(lambda task, batch=batch: self._served(task, batch))  # type: ignore[misc]

    def _served(self, task: "asyncio.Task[None]", batch: Sequence[Replay]) -> None:
        self._tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        for replay in batch:
            if error is not None and not replay.future.done():
                replay.future.set_exception(
                    JournalUnavailable("the replay was given up") if task.cancelled() else error
                )
        self._launch()

    async def _serve(self, batch: list[Replay]) -> None:
        await self._find_snapshots([replay for replay in batch if replay.from_snapshot])
        rows = await self._rows(batch, [replay.first for replay in batch])
        outcomes = await self._loop.run_in_executor(self._threads, self._fold, batch, rows)
        for replay, (result, error) in zip(batch, outcomes, strict=True):
            if replay.future.done():
                continue
            if error is None:
                replay.future.set_result(result)
            else:
                replay.future.set_exception(error)

    async def _find_snapshots(self, replays: list[Replay]) -> None:
        if not replays:
            return
        found = await self._read(
            "snapshots_of", [one.aggregate for one in replays], [one.id for one in replays]
        )
        for n, *columns in found:
            replays[n].snapshot = Snapshot(*columns)

    async def _rows(self, replays: Sequence[Replay], first: Sequence[int]) -> list[list[Any]]:
        """At most ``CHUNK`` records of each from a version on, without gaps: (n, columns of ``Row``)."""
        records = await self._read(
            "events_of",
            [one.aggregate for one in replays],
            [one.id for one in replays],
            first,
            [one.last for one in replays],
            CHUNK,
        )
        found: list[list[Any]] = [[] for _ in replays]
        for record in records:
            found[record[0]].append(record)
        for replay, begin, rows in zip(replays, first, found, strict=True):
            if rows and rows[-1]["version"] != begin + len(rows) - 1:
                raise Corrupted(f"{replay.aggregate}/{replay.id} lacks versions after {begin - 1}")
        return found

    def _fold(
        self, batch: Sequence[Replay], rows: Sequence[Sequence[Any]]
    ) -> list[tuple[Any, BaseException | None]]:
        """On a thread: (result, error) of each."""
        return [
            _outcome(replay, self._all(replay, records)) for replay, records in zip(batch, rows, strict=True)
        ]

    def _all(self, replay: Replay, records: Sequence[Any]) -> Iterable[Row]:
        if len(records) < CHUNK:
            return [_row(record) for record in records]
        return chain(map(_row, records), self._further(replay, replay.first + CHUNK))

    def _further(self, replay: Replay, first: int) -> Iterator[Row]:
        """On a thread: the rows behind the first chunk, asked for as they are needed."""
        while first <= replay.last:
            asked = asyncio.run_coroutine_threadsafe(self._rows([replay], [first]), self._loop)
            [records] = asked.result(_BACKSTOP_SECONDS)
            yield from map(_row, records)
            if len(records) < CHUNK:
                return
            first += CHUNK


def _row(record: Any) -> Row:
    return Row._make(record[1:])


def _outcome(replay: Replay, rows: Iterable[Row]) -> tuple[Any, BaseException | None]:
    try:
        return replay.fold(replay.snapshot, rows), None
    except Exception as error:  # noqa: BLE001 - a bug in evolve, or the journal's failure, is its caller's to know
        return None, error
