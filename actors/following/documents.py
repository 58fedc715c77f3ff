"""Followers of a view: for every event that touches documents, these documents as they are now.

A document is read once the view has folded the event, so it may have been changed by later events too; they
bring it again. Who may see it, and whether it is among those that are followed, is asked of the store in the
same reading; of one that is gone, by what it was last."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from actors.following.follower import Follower
from actors.following.hub import PAGE, Hub
from actors.following.port import Sink
from actors.journal.port import Journal, Row
from actors.positions import format_position
from actors.views.conditions import Condition
from actors.views.folding import Folding, Touch
from actors.views.port import Failure, Found, ViewsError, ViewStore, Wanted

FRESH_SECONDS = 5.0
"""Between two looks at a view that stands still."""
AGAIN = 1.0
"""Seconds before a store that failed is asked again."""
NEWS_SECONDS = 15.0
"""Between two looks at the journal when nothing is heard of it."""


class Views(Protocol):
    """The part of a context's projections that followers need."""

    @property
    def store(self) -> ViewStore: ...

    @property
    def foldings(self) -> Mapping[str, Folding]: ...

    async def fresh(
        self, views: Sequence[str], positions: Mapping[int, int], deadline: float
    ) -> Mapping[int, int] | None: ...


class DocumentFollower(Follower):
    """Follows the documents of a view that meet ``where``, or those of ``keys`` among them."""

    def __init__(
        self,
        hub: Hub,
        sink: Sink,
        views: Views,
        view: str,
        where: Condition,
        keys: frozenset[str] | None,
        shown: Callable[[bytes], bytes],
    ) -> None:
        """``shown`` makes of a document what whoever follows may see of it."""
        super().__init__(hub, sink)
        self._views = views
        self._view = view
        self._where = where
        self._keys = keys
        self._shown = shown
        self._vector: dict[int, int] = {}

    async def run(self, journal: Journal, after: Mapping[int, int]) -> None:
        """From a position on, for as long as it is followed. Raises JournalError."""
        self._vector = dict(after)
        feed = journal.follow(after)
        folding = self._views.foldings[self._view]
        while not self.closed:
            news = self._hub.news
            rows = await feed.read(PAGE)
            if not rows:
                await _until(news)
                continue
            while rows and not self.closed:
                touches, failed = folding.touches(rows)
                # What cannot be folded is waited for, and passed over when an operator has skipped it.
                taken = rows if failed is None else rows[: _place_of(failed, rows) + 1]
                await self._folded(taken)
                await self._tell(taken, touches)
                rows = rows[len(taken) :]
            await self.sink.room()

    def position(self) -> str:
        """See ``Follower.position``."""
        return format_position(self._hub.context, self._vector)

    def _live(self, row: Row) -> None:
        raise AssertionError("it reads by itself")

    async def _folded(self, rows: Sequence[Row]) -> None:
        wanted = {row.shard: row.seq for row in rows}
        clock = asyncio.get_running_loop().time
        while not self.closed:
            try:
                if await self._views.fresh([self._view], wanted, clock() + FRESH_SECONDS) is None:
                    return
            except ViewsError:
                await asyncio.sleep(AGAIN)

    async def _tell(self, rows: Sequence[Row], touches: Sequence[Touch]) -> None:
        by_place = {(touch.row.shard, touch.row.seq): touch.keys for touch in touches}
        found = await self._read({key for touch in touches for key in touch.keys})
        for row in rows:
            self._vector[row.shard] = row.seq
            for key in by_place.get((row.shard, row.seq), ()):
                document = found.get(key)
                if document is not None and not self._send(self._message(key, document)):
                    return

    async def _read(self, touched: set[str]) -> dict[str, Found]:
        keys = touched if self._keys is None else touched & self._keys
        if not keys:
            return {}
        wanted = Wanted(self._view, tuple(sorted(keys)), self._where, limit=len(keys), tombstones=True)
        while True:
            try:
                reading = await self._views.store.read([wanted])
            except ViewsError:
                await asyncio.sleep(AGAIN)
                continue
            return {found.key: found for found in reading.pages[0].found}

    def _message(self, key: str, found: Found) -> bytes:
        encoder, id = self._hub.encoder, self.position()
        if found.document is None:
            return encoder.removed(id, key)
        return encoder.changed(id, key, self._shown(found.document))


def _place_of(failure: Failure, rows: Sequence[Row]) -> int:
    entity, version = failure.entity, failure.version
    return next(n for n, r in enumerate(rows) if r.version == version and f"{r.aggregate}/{r.id}" == entity)


async def _until(news: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(NEWS_SECONDS):
            await news.wait()
    except TimeoutError:
        return
