"""A few connections, opened when they are needed and kept while they work.

Each lane has its share of them, so that slow reads cannot keep a commit waiting. Every wait for a connection
has an end, and so has the number of those who wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from actors.journal.port import JournalUnavailable
from actors.journal.postgres.failures import harmless
from actors.journal.postgres.session import Session

WAITING = 1_024
"""Calls that may wait for a connection of one lane."""


class Pool:
    """``lanes`` maps a lane's name to the connections it may use at once; ``connect`` opens one."""

    def __init__(
        self, connect: Callable[[], Awaitable[Session]], lanes: Mapping[str, int], seconds: float
    ) -> None:
        self._connect = connect
        self._lanes = {name: asyncio.Semaphore(limit) for name, limit in lanes.items()}
        self._limits = dict(lanes)
        self._waiting = dict.fromkeys(lanes, 0)
        self._seconds = seconds
        self._idle: list[Session] = []
        self._generation = 0
        self.closed = False

    @asynccontextmanager
    async def session(self, lane: str) -> AsyncIterator[Session]:
        """A connection for the time of the block. Raises ``JournalUnavailable`` if there is none in time.

        Whatever goes wrong in the block costs the connection, unless it is known to be harmless."""
        await self._enter(lane)
        try:
            session = await self._take()
            try:
                yield session
            except asyncio.CancelledError:
                session.drop()
                raise
            except BaseException as error:
                if harmless(error):
                    self._keep(session)
                else:
                    session.drop()
                    self.distrust()
                raise
            else:
                self._keep(session)
        finally:
            self._lanes[lane].release()

    async def _enter(self, lane: str) -> None:
        if self.closed:
            raise JournalUnavailable("the journal is closed")
        if not self._lanes[lane].locked():
            # Without a timer: a commit waits for nobody as a rule.
            await self._lanes[lane].acquire()
            return
        if self._waiting[lane] >= WAITING:
            raise JournalUnavailable(f"{WAITING} calls wait for a connection to PostgreSQL already")
        self._waiting[lane] += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._lanes[lane].acquire()
        except TimeoutError as error:
            raise JournalUnavailable(
                f"all {self._limits[lane]} connections to PostgreSQL were busy for {self._seconds:g} s"
            ) from error
        finally:
            self._waiting[lane] -= 1
        if self.closed:
            self._lanes[lane].release()
            raise JournalUnavailable("the journal is closed")

    async def _take(self) -> Session:
        while self._idle:
            session = self._idle.pop()
            if await session.lives() and session.generation == self._generation:
                return session
            session.drop()
            # What ended this one has ended others that rested as long.
            self.distrust()
        generation = self._generation
        session = await self._connect()
        session.generation = generation
        return session

    def _keep(self, session: Session) -> None:
        if not session.usable:
            # It is another server now that takes writes; no connection is worth more than this one.
            session.drop()
            self.distrust()
        elif self.closed or session.generation != self._generation:
            session.drop()
        else:
            session.rest()
            self._idle.append(session)

    def distrust(self) -> None:
        """Open all connections anew: those in use are not kept after it. After a failover the ones that look
        well are the ones to the old server."""
        self._generation += 1
        for session in self._idle:
            session.drop()
        self._idle.clear()

    async def close(self) -> None:
        """Wait for what is in use, as long as a call may take, and close everything. May be called again."""
        if self.closed:
            return
        self.closed = True
        try:
            async with asyncio.timeout(3 * self._seconds):
                for name, limit in self._limits.items():
                    for _ in range(limit):
                        await self._lanes[name].acquire()
        except TimeoutError:
            # Those who still use one drop it themselves: the pool is closed.
            pass
        idle, self._idle = self._idle, []
        await asyncio.gather(*(session.close() for session in idle))
