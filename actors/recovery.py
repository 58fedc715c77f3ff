"""Recoveries: entities on their way from the journal into memory, a bounded number at once."""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from actors.aggregate import AggregateType, Replayed, SnapshotIgnored
from actors.journal.codec import UnreadableEvent
from actors.journal.port import Journal, JournalError
from actors.messages import Ask, Reason, Refused

if TYPE_CHECKING:
    from actors.shard import Shard

logger = logging.getLogger(__name__)

EntityKey = tuple[str, str]
"""(aggregate, id)."""


class Recovery:
    """One entity being replayed, and the asks that wait for it."""

    __slots__ = ("key", "shard", "waiting")

    def __init__(self, shard: "Shard", key: EntityKey) -> None:
        self.shard = shard
        self.key = key
        self.waiting: list[Ask] = []


class Recoveries:
    """Replays at most ``limit`` entities of a context at once; the others wait their turn.

    ``waiting`` counts the asks that wait for recoveries and for suspended shards; its bound is the shards'
    to keep."""

    def __init__(self, journal: Journal, kinds: dict[str, AggregateType], limit: int) -> None:
        self._journal = journal
        self._kinds = kinds
        self._limit = limit
        self._queue: deque[Recovery] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.waiting = 0
        self.recovered = 0

    @property
    def active(self) -> int:
        """Recoveries under way."""
        return len(self._tasks)

    @property
    def queued(self) -> int:
        """Recoveries that wait their turn."""
        return len(self._queue)

    def start(self, recovery: Recovery) -> None:
        """Replay as soon as there is room; the shard's ``recovered`` or ``not_recovered`` is called."""
        if len(self._tasks) < self._limit:
            self._launch(recovery)
        else:
            self._queue.append(recovery)

    async def close(self) -> None:
        """Give up what is under way."""
        self._queue.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _launch(self, recovery: Recovery) -> None:
        task = asyncio.get_running_loop().create_task(self._recover(recovery))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a recovery ended badly", exc_info=task.exception())
        while self._queue and len(self._tasks) < self._limit:
            self._launch(self._queue.popleft())

    async def _recover(self, recovery: Recovery) -> None:
        aggregate, id = recovery.key
        try:
            replayed = await self._replay(self._kinds[aggregate], id)
        except Exception as error:  # noqa: BLE001 - the journal's errors or an author's
            recovery.shard.not_recovered(recovery, error)
        else:
            self.recovered += 1
            recovery.shard.recovered(recovery, replayed)

    async def _replay(self, kind: AggregateType, id: str) -> Replayed:
        try:
            return await self._journal.replay(kind.name, id, kind.fold)
        except SnapshotIgnored as reason:
            logger.warning(
                "snapshot ignored, replaying everything",
                extra={"fields": {"aggregate": kind.name, "id": id, "why": str(reason)}},
            )
            return await self._journal.replay_all(kind.name, id, kind.fold)


def unreplayed(error: Exception) -> Refused:
    """What callers are told when an entity, or something of its past, cannot be had from the journal."""
    if isinstance(error, UnreadableEvent):
        return Refused(Reason.UNREADABLE, f"the entity's journal cannot be read: {error}")
    if isinstance(error, JournalError):
        return Refused(Reason.JOURNAL_UNAVAILABLE, str(error), 1.0)
    return Refused(Reason.FAILED, "the entity could not be replayed: a fault in the context")
