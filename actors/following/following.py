"""Following one context on this worker."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from actors.cancellation import end
from actors.following.documents import DocumentFollower, Views
from actors.following.follower import ContextFollower, EntityFollower, Follower
from actors.following.hub import Hub
from actors.following.port import AheadOfJournal, Encoder, Sink, TooManyFollowers
from actors.journal.port import JournalError
from actors.positions import behind, format_position
from actors.region import Region, shard_of
from actors.views.conditions import Condition

logger = logging.getLogger(__name__)


class Following:
    """From ``open`` to ``close``; everything runs on one loop."""

    def __init__(self, region: Region, views: Views | None, encoder: Encoder, limit: int) -> None:
        """``limit``: followers at once."""
        self.hub = Hub(region.name, region.journal, region.kinds, encoder)
        self._region = region
        self._views = views
        self._limit = limit
        self._followers: dict[Follower, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Be ready for followers."""
        self.hub.start()
        self._region.committer.on_commit.append(lambda rows: self.hub.wake())

    async def close(self) -> None:
        """End all followers; whoever follows comes again elsewhere."""
        self.end("the worker is shutting down")
        await end(*self._tasks)
        await self.hub.close()

    def end(self, why: str) -> None:
        """End all followers there are, for a reason that they are told."""
        for follower in list(self._followers):
            follower.sink.end(why)
            follower.close()

    @property
    def followers(self) -> int:
        """How many follow."""
        return len(self._followers)

    async def context(self, after: Mapping[int, int] | None, sink: Sink) -> Follower:
        """Follow all events after a vector of positions, or from now on. Raises AheadOfJournal,
        TooManyFollowers and JournalError."""
        follower = ContextFollower(self.hub, sink)
        await self._begin(follower, after)
        if after is None:
            follower.begin()
        else:
            self._own(follower, follower.catch_up(self._region.journal, after))
        return follower

    async def entity(self, aggregate: str, id: str, after: int | None, sink: Sink) -> Follower:
        """Follow an entity's events after a sequence of its shard, or from now on. Raises as ``context``."""
        shard = shard_of(aggregate, id, self._region.journal.shards)
        known = {} if after is None else {shard: after}
        follower = EntityFollower(self.hub, sink, (aggregate, id), shard, after or 0)
        await self._begin(follower, known)
        if after is None:
            follower.begin()
        else:
            self._own(follower, follower.catch_up(self._region.journal))
        return follower

    async def documents(
        self,
        view: str,
        where: Condition,
        keys: frozenset[str] | None,
        shown: Callable[[bytes], bytes],
        after: Mapping[int, int] | None,
        sink: Sink,
    ) -> Follower:
        """Follow a view's documents that events touch after a vector, or from now on. Raises as
        ``context``."""
        assert self._views is not None
        follower = DocumentFollower(self.hub, sink, self._views, view, where, keys, shown)
        await self._begin(follower, after)
        begin = dict(self.hub.vector) if after is None else after
        self._own(follower, follower.run(self._region.journal, begin))
        return follower

    async def _begin(self, follower: Follower, after: Mapping[int, int] | None) -> None:
        if len(self._followers) >= self._limit:
            raise TooManyFollowers(f"{self._limit} follow already")
        self._followers[follower] = None
        follower.on_close = self._closed
        try:
            await self.hub.join()
            if after:
                heads = await self._region.journal.heads()
                if ahead := behind(heads, after):
                    reached = format_position(self._region.name, ahead)
                    raise AheadOfJournal(f"the journal has not got further than {reached}")
        except BaseException:
            follower.close()
            raise

    def _closed(self, follower: Follower) -> None:
        self._followers.pop(follower, None)

    def _own(self, follower: Follower, work: Coroutine[Any, Any, None]) -> None:
        task = follower.task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def ended(task: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                if not isinstance(error, JournalError):
                    logger.error("a follower ended badly", exc_info=error)
                follower.sink.end(f"the events cannot be read: {type(error).__name__}")
                follower.close()

        task.add_done_callback(ended)
