"""The hub: the events of a context, read once for all who follow at their end."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from actors.aggregate import AggregateType
from actors.cancellation import end
from actors.following.port import Encoder, Followed
from actors.journal.codec import UnreadableEvent, inspect_payload
from actors.journal.port import Feed, Journal, JournalError, Row
from actors.positions import format_position
from actors.replies import instant

logger = logging.getLogger(__name__)

PAGE = 500
"""Events read at once."""
POLL = 0.1
"""Seconds between two looks at the journal for what other workers commit."""
AGAIN = 1.0
"""Seconds before a journal that failed is asked again."""


class Taker(Protocol):
    """A follower that has met the hub, or is about to."""

    def take(self, row: Row) -> None:
        """The next event at the end of its shard."""


class Hub:
    """Reads while somebody follows; ``vector`` is how far it is."""

    def __init__(
        self, context: str, journal: Journal, kinds: dict[str, AggregateType], encoder: Encoder
    ) -> None:
        self.context = context
        self.vector: dict[int, int] = {}
        self.encoder = encoder
        self._journal = journal
        self._kinds = kinds
        self._feed: Feed | None = None
        self._interest = 0
        self._all: dict[Taker, None] = {}
        self._entities: dict[tuple[str, str], dict[Taker, None]] = {}
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._begun = asyncio.Event()
        self._shared: tuple[Row, bytes] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Be ready to read."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"following of {self.context}")

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """What must not end; its owner watches it."""
        return self._task

    async def close(self) -> None:
        """Read no more."""
        await end(self._task)

    def wake(self) -> None:
        """Something was committed on this worker."""
        if self._interest:
            self._wake.set()

    # Who follows -----------------------------------------------------------------------------------------

    async def join(self) -> None:
        """Somebody follows, until ``leave``; returns when the hub reads."""
        self._interest += 1
        self._wake.set()
        await self._begun.wait()

    def leave(self) -> None:
        """One fewer."""
        self._interest -= 1

    def attach(self, taker: Taker, entity: tuple[str, str] | None = None) -> None:
        """Give it every event from here on; with ``entity``, those of one."""
        takers = self._all if entity is None else self._entities.setdefault(entity, {})
        takers[taker] = None

    def detach(self, taker: Taker, entity: tuple[str, str] | None = None) -> None:
        """Give it nothing more."""
        if entity is None:
            self._all.pop(taker, None)
            return
        takers = self._entities.get(entity, {})
        takers.pop(taker, None)
        if not takers:
            self._entities.pop(entity, None)

    @property
    def news(self) -> asyncio.Event:
        """Set when something is committed after this call."""
        return self._news

    # Reading ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            if not self._interest:
                self._feed = None
                self._begun.clear()
                self._wake.clear()
                await self._wake.wait()
                continue
            try:
                await self._read()
            except JournalError as error:
                fields = {"context": self.context, "error": str(error)}
                logger.warning("events cannot be followed", extra={"fields": fields})
                await asyncio.sleep(AGAIN)

    async def _read(self) -> None:
        if self._feed is None:
            self.vector = await self._journal.heads()
            self._feed = self._journal.follow(self.vector)
            self._begun.set()
        self._wake.clear()
        rows = await self._feed.read(PAGE)
        if rows:
            self._deliver(rows)
            return
        try:
            async with asyncio.timeout(POLL):
                await self._wake.wait()
        except TimeoutError:
            return

    def _deliver(self, rows: Sequence[Row]) -> None:
        vector, everyone, entities = self.vector, self._all, self._entities
        for row in rows:
            vector[row.shard] = row.seq
            for taker in list(everyone):
                taker.take(row)
            of_entity = entities.get((row.aggregate, row.id))
            if of_entity is not None:
                for taker in list(of_entity):
                    taker.take(row)
        self._news.set()
        self._news = asyncio.Event()

    # Messages --------------------------------------------------------------------------------------------

    def shared_message(self, row: Row) -> bytes:
        """The event with the hub's vector: made once for all who are where the hub is."""
        if self._shared is None or self._shared[0] is not row:
            self._shared = (row, self.message(row, format_position(self.context, self.vector)))
        return self._shared[1]

    def message(self, row: Row, id: str) -> bytes:
        """The event with a position of its follower's own."""
        return self.encoder.event(id, self._followed(row))

    def _followed(self, row: Row) -> Followed:
        position = format_position(self.context, {row.shard: row.seq})
        try:
            told = self._kinds[row.aggregate].told(row, position)
        except (UnreadableEvent, KeyError):
            return Followed(
                row.aggregate,
                row.id,
                row.version,
                row.type,
                instant(row.at),
                row.by,
                row.command_id.hex(),
                position,
                _plain(row),
            )
        return Followed(
            row.aggregate,
            row.id,
            told.version,
            told.type,
            told.at,
            told.by,
            told.command,
            position,
            told.data,
            told.trace,
        )


def _plain(row: Row) -> object:
    """What a context that does not know the event any more, or not yet, can tell of it."""
    try:
        return inspect_payload(row.data)
    except UnreadableEvent:
        return None
