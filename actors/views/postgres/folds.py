"""Folding into PostgreSQL.

As a rule nothing is locked while something is folded: documents are read, folded on a thread, and written
with one statement (``writing``) that refuses if another worker has folded a shard of ours or changed a
document in the meantime. Then it is all done again; this time, and for a while from then on, positions and
documents are locked before they are read."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import asyncpg

from actors.journal.postgres.pool import Pool
from actors.journal.postgres.session import Session
from actors.views.batch import Batch, Move
from actors.views.port import Done, Shape, ViewsUnavailable, Work
from actors.views.postgres import tables, writing
from actors.views.postgres.failures import told
from actors.views.postgres.statements import sql

T = TypeVar("T")
Shard = tuple[int, int]
"""A generation, and one of its shards."""

ATTEMPTS = 20
HOPEFUL = 1
"""Attempts without locks."""
CAREFUL = 50
"""Transactions that lock from the beginning after one was refused."""
_REFUSED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.UndefinedTableError)
"""Somebody else was faster; or has dropped a generation, which the next attempt will find gone."""


class Folds:
    """One transaction at a time; ``close`` ends the thread."""

    def __init__(self, pool: Pool, lane: str, context: str) -> None:
        self.refused = 0
        """Attempts that came to nothing because of other workers."""
        self._pool = pool
        self._lane = lane
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"views of {context}")
        self._positions: dict[Shard, int] = {}
        """Where shards were when this store last moved or read them. A work that begins elsewhere makes it
        look again, and a write finds out if somebody else has moved one."""
        self._careful = 0

    async def fold(self, works: Sequence[Work]) -> list[Done]:
        """In one transaction. Raises ViewsError."""
        try:
            async with told():
                return await self._settle(works)
        except BaseException:
            self._positions.clear()
            raise

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False)

    async def _settle(self, works: Sequence[Work]) -> list[Done]:
        self._careful = max(0, self._careful - 1)
        for attempt in range(ATTEMPTS):
            locked = self._careful > 0 or attempt >= HOPEFUL
            try:
                async with self._pool.session(self._lane) as session:
                    if not locked:
                        return await self._attempt(session, works, locked=False)
                    async with session.connection.transaction():
                        return await self._attempt(session, works, locked=True)
            except _REFUSED:
                self.refused += 1
                self._careful = CAREFUL
                self._positions.clear()
        raise ViewsUnavailable("other workers fold the same documents all the time")

    async def _attempt(self, session: Session, works: Sequence[Work], *, locked: bool) -> list[Done]:
        positions = await self._where(session, works, locked=locked)
        batch: Batch
        batch, wanted = await self._off_the_loop(_begin, works, positions)
        shapes = {work.generation: work.folding.shape for work in works}
        loaded = await _load(session, wanted, locked=locked)
        arguments = await self._off_the_loop(_end, batch, works, loaded, shapes)
        if arguments is not None:
            generations, values = arguments
            await session.connection.fetchval(writing.statement(generations), *values)
            self._positions.update({(move.generation, move.shard): move.after for move in batch.moves})
        return list(batch.done)

    async def _where(self, session: Session, works: Sequence[Work], *, locked: bool) -> dict[Shard, int]:
        """The positions of all works, of generations that there are."""
        known = self._positions
        if not locked and all(known.get((w.generation, w.shard)) == w.after for w in works):
            return {(work.generation, work.shard): work.after for work in works}
        places = sorted({(work.generation, work.shard) for work in works})
        asked = [[place[0] for place in places], [place[1] for place in places]]
        look = sql("lock_positions" if locked else "positions")
        found = await session.connection.fetch(look, *asked)
        if len(found) < len(places):
            await session.connection.execute(sql("begin_positions"), *asked)
            found = await session.connection.fetch(look, *asked)
        positions = {(generation, shard): seq for generation, shard, seq in found}
        known.update(positions)
        return positions

    async def _off_the_loop(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


async def _load(session: Session, wanted: dict[int, list[str]], *, locked: bool) -> dict[int, list[Any]]:
    """By generation: key, document and revision of what is stored. Locked in the order of writing."""
    found = {}
    for number in sorted(wanted):
        text = f"SELECT key, document, revision FROM {tables.table(number)} WHERE key = ANY ($1::text[])"
        if locked:
            text += " ORDER BY key FOR NO KEY UPDATE"
        found[number] = await session.connection.fetch(text, wanted[number])
    return found


def _begin(works: Sequence[Work], positions: dict[Shard, int]) -> tuple[Batch, dict[int, list[str]]]:
    batch = Batch(works, positions)
    return batch, batch.wanted()


def _end(
    batch: Batch, works: Sequence[Work], loaded: dict[int, list[Any]], shapes: dict[int, Shape]
) -> tuple[tuple[tuple[int, int, int], ...], list[Any]] | None:
    """What the writing statement is for, and its arguments; None if there is nothing to write or to check."""
    batch.fold(
        {
            number: {key: document for key, document, _ in records if document is not None}
            for number, records in loaded.items()
        }
    )
    moves = batch.moves + _unmoved(batch, works)
    if not moves:
        return None
    changed = {number: changes for number, changes in sorted(batch.changes.items()) if changes}
    rows = [
        writing.documents(
            changes, {key: revision for key, _, revision in loaded.get(number, ())}, shapes[number]
        )
        for number, changes in changed.items()
    ]
    generations = tuple((n, len(shapes[n].columns), len(shapes[n].search)) for n in changed)
    return generations, [*writing.positions(moves), *rows]


def _unmoved(batch: Batch, works: Sequence[Work]) -> list[Move]:
    """Positions at which something cannot be folded. They are looked at again: it may have failed because
    somebody else has folded it already."""
    moving = {(move.generation, move.shard) for move in batch.moves}
    return [
        Move(work.generation, work.shard, one.seq, one.seq, complete=False)
        for work, one in zip(works, batch.done, strict=True)
        if one.failure is not None and (work.generation, work.shard) not in moving
    ]
