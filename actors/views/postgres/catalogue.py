"""The generations of a context's views: made, halted, switched, dropped."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from actors.journal.postgres.pool import Pool
from actors.journal.postgres.reading import repeatable
from actors.journal.postgres.session import Session
from actors.views.port import Generation, NoSuchView, Place, Shape, ViewsDamaged, ViewsUnavailable
from actors.views.postgres import tables
from actors.views.postgres.failures import told
from actors.views.postgres.statements import sql

_DROP_SECONDS = 1.0
"""How long a drop waits for those who still read; others wait behind it as long."""


class Catalogue:
    """Whoever changes generations waits for whoever else does."""

    def __init__(self, pool: Pool, lane: str) -> None:
        self._pool = pool
        self._lane = lane

    async def all(self) -> list[Generation]:
        """By number."""
        async with told():
            return generations(await self._ask("generations"))

    async def places(self) -> dict[int, dict[int, Place]]:
        """By generation and shard."""
        async with told():
            records = await self._ask("places")
        places: dict[int, dict[int, Place]] = {}
        for generation, shard, seq, complete in records:
            places.setdefault(generation, {})[shard] = Place(seq, complete)
        return places

    async def prepare(self, shapes: Sequence[Shape]) -> None:
        """See ``port.ViewStore.prepare``."""
        async with self._changing() as connection:
            there = generations(await connection.fetch(sql("generations")))
            for shape in shapes:
                of_view = [one for one in there if one.view == shape.view]
                if not of_view:
                    await _add(connection, shape, live=True)
                elif all(one.shape != shape for one in of_view):
                    await _drop(connection, [one.number for one in of_view if not one.live])
                    await _add(connection, shape, live=False)
        await self._sweep()

    async def rebuild(self, shape: Shape) -> Generation:
        """See ``port.ViewStore.rebuild``."""
        async with self._changing() as connection:
            there = [
                one
                for one in generations(await connection.fetch(sql("generations")))
                if one.view == shape.view
            ]
            await _drop(connection, [one.number for one in there if not one.live])
            number = await _add(connection, shape, live=not there)
            paused = any(one.paused for one in there)
        await self._sweep()
        return Generation(number, shape, live=not there, paused=paused)

    async def switch(self, number: int, shards: int) -> bool:
        """See ``port.ViewStore.switch``."""
        async with self._changing() as connection:
            there = {one.number: one for one in generations(await connection.fetch(sql("generations")))}
            if number not in there or there[number].live:
                return number in there
            others = [one.number for one in there.values() if one.view == there[number].view]
            others.remove(number)
            if not await connection.fetchval(sql("may_switch"), number, others, shards):
                return False
            # Again, and what is looked at stays as it is until this is done. Locking keeps those who fold
            # waiting, so nothing is locked for a generation that is far from it.
            await connection.execute(sql("lock_generations"), others)
            await connection.execute(sql("hold_positions"), others)
            if not await connection.fetchval(sql("may_switch"), number, others, shards):
                return False
            await _drop(connection, others)
            await connection.execute("UPDATE generations SET live = true WHERE number = $1", number)
        # Switched it is, whatever becomes of the rest.
        with contextlib.suppress(ViewsUnavailable):
            await self._sweep()
            await self._analyze(number)
        return True

    async def pause(self, view: str, paused: bool) -> None:
        """See ``port.ViewStore.pause``."""
        async with self._changing() as connection:
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM generations WHERE view = $1)", view):
                raise NoSuchView(f"there is no view {view!r}")
            change = "INSERT INTO paused VALUES ($1) ON CONFLICT DO NOTHING"
            await connection.execute(change if paused else "DELETE FROM paused WHERE view = $1", view)

    async def skip(self, number: int, shard: int, seq: int) -> bool:
        """See ``port.ViewStore.skip``."""
        async with self._changing() as connection:
            await connection.execute(sql("begin_positions"), [number], [shard])
            return await connection.fetchval(sql("skip"), number, shard, seq) is not None

    async def _ask(self, name: str) -> list[Any]:
        return await repeatable(self._pool, self._lane, lambda session: session.connection.fetch(sql(name)))

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction that no other of these runs beside, on whichever worker. What an operator has said is
        kept, unlike what can be folded again."""
        async with told(), self._pool.session(self._lane) as session, session.connection.transaction():
            await session.connection.execute("SET LOCAL synchronous_commit = on")
            await session.connection.execute("LOCK TABLE generations IN SHARE ROW EXCLUSIVE MODE")
            yield session.connection

    async def _analyze(self, number: int) -> None:
        """A table that was filled in one go has no statistics yet. Who filters by one index and sorts by
        another needs them: 1 ms or 700 among a million documents."""
        async with told(), self._pool.session(self._lane) as session:
            await session.connection.execute(f"ANALYZE {tables.table(number)}")

    async def _sweep(self) -> None:
        """Drop the tables of generations that are no more. Not with the generation: a table is only dropped
        when nobody reads it, and whoever waits for that holds up all who come after. What cannot be dropped
        now is dropped the next time."""
        async with told(), self._pool.session(self._lane) as session:
            for [name] in await session.connection.fetch(sql("leftovers")):
                await _drop_table(session, name)


async def _drop_table(session: Session, name: str) -> None:
    with contextlib.suppress(asyncpg.LockNotAvailableError):
        async with session.connection.transaction():
            await session.connection.execute(f"SET LOCAL lock_timeout = {int(_DROP_SECONDS * 1000)}")
            await session.connection.execute(tables.drop(name))


async def _add(connection: asyncpg.Connection, shape: Shape, *, live: bool) -> int:
    number: int = await connection.fetchval(
        "INSERT INTO generations (view, shape, live) VALUES ($1, $2, $3) RETURNING number",
        shape.view,
        msgspec.json.encode(shape).decode(),
        live,
    )
    await connection.execute(tables.create(number, shape))
    return number


async def _drop(connection: asyncpg.Connection, numbers: Sequence[int]) -> None:
    await connection.execute("DELETE FROM generations WHERE number = ANY ($1::bigint[])", numbers)


def generations(records: Sequence[Any]) -> list[Generation]:
    """From the records of ``generations.sql``. Raises ViewsDamaged."""
    try:
        return [
            Generation(number, msgspec.json.decode(shape, type=Shape), live, paused)
            for number, shape, live, paused in records
        ]
    except msgspec.MsgspecError as error:
        raise ViewsDamaged(f"a generation's shape cannot be read: {error}") from error
