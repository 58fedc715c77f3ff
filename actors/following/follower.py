"""Followers of events: they catch up in pages of their own and meet the hub exactly.

From the moment a follower is nearly there, the hub's events are kept for it. It reads on until it has all
that the hub had before, sends what was kept and is not sent yet, and goes on with the hub. Where it has read
ahead of the hub meanwhile, the hub's next events are passed over until they are new."""

import asyncio
from collections.abc import Callable, Mapping

from actors.following.hub import PAGE, Hub
from actors.following.port import Sink
from actors.journal.port import Journal, Row
from actors.positions import format_position

KEPT = 10_000
"""Events kept for a follower that is nearly there; beyond them it reads them like the others."""


class Follower:
    """Somebody who follows; ``close`` ends it."""

    def __init__(self, hub: Hub, sink: Sink, entity: tuple[str, str] | None = None) -> None:
        self.sink = sink
        self.closed = False
        self.task: asyncio.Task[None] | None = None
        """Catches up; its owner watches it."""
        self.on_close: Callable[[Follower], None] | None = None
        self._hub = hub
        self._entity = entity
        self._kept: list[Row] | None = None
        self._attached = False

    def close(self) -> None:
        """Send nothing more."""
        if self.closed:
            return
        self.closed = True
        self._detach()
        self._hub.leave()
        if self.task is not None:
            self.task.cancel()
        if self.on_close is not None:
            self.on_close(self)

    def position(self) -> str:
        """Where to come again after what was sent."""
        raise NotImplementedError

    def take(self, row: Row) -> None:
        """From the hub."""
        if self._kept is None:
            self._live(row)
        elif len(self._kept) < KEPT:
            self._kept.append(row)
        else:
            self._detach()

    def _live(self, row: Row) -> None:
        raise NotImplementedError

    def _send(self, message: bytes) -> bool:
        if not self.closed and not self.sink.send(message):
            self.close()
        return not self.closed

    def _keep(self) -> list[Row]:
        """From here on, keep what the hub gives."""
        kept: list[Row] = []
        self._kept = kept
        self._attached = True
        self._hub.attach(self, self._entity)
        return kept

    def _detach(self) -> None:
        self._attached = False
        self._hub.detach(self, self._entity)


class ContextFollower(Follower):
    """Follows all events of a context."""

    def __init__(self, hub: Hub, sink: Sink) -> None:
        super().__init__(hub, sink)
        self._vector: dict[int, int] = {}
        """While catching up."""
        self._ahead: dict[int, int] = {}

    def begin(self) -> None:
        """From now on."""
        self._kept = None
        self._vector = {}
        self._hub.attach(self)

    async def catch_up(self, journal: Journal, after: Mapping[int, int]) -> None:
        """From a position on, until the hub is met. Raises JournalError."""
        vector = self._vector = dict(after)
        feed = journal.follow(after)
        while not self.closed:
            rows = await feed.read(PAGE)
            self._send_rows(rows)
            await self.sink.room()
            if len(rows) == PAGE:
                continue
            kept = self._keep()
            target = dict(self._hub.vector)
            while not self.closed and any(vector.get(shard, 0) < seq for shard, seq in target.items()):
                self._send_rows(await feed.read(PAGE))
                await self.sink.room()
            if not self._attached:
                continue  # more was kept than could be
            self._send_rows([row for row in kept if row.seq > vector.get(row.shard, 0)])
            known = self._hub.vector
            self._ahead = {shard: seq for shard, seq in vector.items() if seq > known.get(shard, 0)}
            self._kept = None
            self._vector = {}
            return

    def position(self) -> str:
        """See ``Follower.position``."""
        return format_position(self._hub.context, self._vector or {**self._hub.vector, **self._ahead})

    def _send_rows(self, rows: list[Row]) -> None:
        vector, context = self._vector, self._hub.context
        for row in rows:
            if row.seq > vector.get(row.shard, 0):
                vector[row.shard] = row.seq
                if not self._send(self._hub.message(row, format_position(context, vector))):
                    return

    def _live(self, row: Row) -> None:
        ahead = self._ahead
        if not ahead:
            self._send(self._hub.shared_message(row))
            return
        known = ahead.get(row.shard, 0)
        if row.seq >= known:
            ahead.pop(row.shard, None)
        if row.seq > known:
            self._send(self._hub.message(row, self.position()))


class EntityFollower(Follower):
    """Follows the events of one entity."""

    def __init__(self, hub: Hub, sink: Sink, entity: tuple[str, str], shard: int, after: int) -> None:
        """``after`` is a sequence of the entity's shard."""
        super().__init__(hub, sink, entity)
        self._of = entity
        self._shard = shard
        self._seq = after

    def begin(self) -> None:
        """From now on."""
        self._kept = None
        self._hub.attach(self, self._entity)

    async def catch_up(self, journal: Journal) -> None:
        """From a position on, until the hub is met. Raises JournalError."""
        version = 0
        while not self.closed:
            rows = await journal.history(*self._of, version, PAGE)
            version = self._send_rows(rows, version)
            await self.sink.room()
            if len(rows) == PAGE:
                continue
            kept = self._keep()
            rows = await journal.history(*self._of, version, PAGE)
            version = self._send_rows(rows, version)
            while rows:
                rows = await journal.history(*self._of, version, PAGE)
                version = self._send_rows(rows, version)
            if not self._attached:
                continue
            self._send_rows(kept, version)
            self._kept = None
            return

    def position(self) -> str:
        """See ``Follower.position``."""
        return format_position(self._hub.context, {self._shard: self._seq})

    def _send_rows(self, rows: list[Row], version: int) -> int:
        for row in rows:
            version = max(version, row.version)
            self._live(row)
        return version

    def _live(self, row: Row) -> None:
        if row.seq > self._seq:
            self._seq = row.seq
            self._send(self._hub.message(row, self.position()))
