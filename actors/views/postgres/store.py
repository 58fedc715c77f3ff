"""The views' port on PostgreSQL."""

from collections.abc import Sequence

from actors.journal.postgres.pool import Pool
from actors.journal.postgres.reading import repeatable
from actors.journal.postgres.schema import migrate
from actors.journal.postgres.session import Session
from actors.settings import JournalSettings
from actors.views.port import Done, Generation, Place, Reading, Shape, Standing, Wanted, Work
from actors.views.postgres.catalogue import Catalogue
from actors.views.postgres.connecting import connect_to_views, schema
from actors.views.postgres.failures import told
from actors.views.postgres.folds import Folds
from actors.views.postgres.queue import FoldQueue
from actors.views.postgres.reads import Reads
from actors.views.postgres.statements import migrations_after

_FOLDS, _CHANGES, _READS = "folds", "changes", "reads"
_LANES = {_FOLDS: 1, _CHANGES: 1, _READS: 2}
"""Connections: neither slow questions nor an operator's changes keep what is folded waiting."""


class PostgresViews:
    """See ``port.ViewStore`` for the methods. Made by ``open``."""

    def __init__(self, pool: Pool, context: str) -> None:
        self._pool = pool
        self._catalogue = Catalogue(pool, _CHANGES)
        self._folds = Folds(pool, _FOLDS, context)
        self._queue = FoldQueue(self._folds.fold)
        self._reads = Reads(pool, _READS)

    @classmethod
    async def open(cls, url: str, context: str, settings: JournalSettings | None = None) -> "PostgresViews":
        """Open the views of ``context``, or make room for them; ``url`` as for the journal.

        Raises ``ViewsUnavailable``, or ``ViewsDamaged`` when the schema is of a later version."""
        seconds = (settings or JournalSettings()).lock_seconds
        pool = Pool(lambda: connect_to_views(url, context, seconds), _LANES, seconds)

        async def prepared(session: Session) -> None:
            async with session.connection.transaction():
                await migrate(session.connection, schema(context), f"butai views {context}", migrations_after)

        try:
            async with told():
                await repeatable(pool, _CHANGES, prepared)
        except BaseException:
            await pool.close()
            raise
        return cls(pool, context)

    @property
    def dead(self) -> str:
        """Why the store serves no more; empty while it does. No outage of the server ends it."""
        return "the views are closed" if self._pool.closed else ""

    @property
    def refused(self) -> int:
        """Attempts to fold that came to nothing because another worker was faster."""
        return self._folds.refused

    async def prepare(self, shapes: Sequence[Shape]) -> None:
        """See ``port.ViewStore.prepare``."""
        await self._catalogue.prepare(shapes)

    async def rebuild(self, shape: Shape) -> Generation:
        """See ``port.ViewStore.rebuild``."""
        return await self._catalogue.rebuild(shape)

    async def generations(self) -> list[Generation]:
        """See ``port.ViewStore.generations``."""
        return await self._catalogue.all()

    async def places(self) -> dict[int, dict[int, Place]]:
        """See ``port.ViewStore.places``."""
        return await self._catalogue.places()

    async def project(self, works: Sequence[Work]) -> list[Done]:
        """See ``port.ViewStore.project``."""
        return await self._queue.project(works)

    async def switch(self, number: int, shards: int) -> bool:
        """See ``port.ViewStore.switch``."""
        return await self._catalogue.switch(number, shards)

    async def pause(self, view: str, paused: bool) -> None:
        """See ``port.ViewStore.pause``."""
        await self._catalogue.pause(view, paused)

    async def skip(self, number: int, shard: int, seq: int) -> bool:
        """See ``port.ViewStore.skip``."""
        return await self._catalogue.skip(number, shard, seq)

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """See ``port.ViewStore.read``."""
        return await self._reads.read(wanted)

    async def standings(self, views: Sequence[str]) -> dict[str, Standing]:
        """See ``port.ViewStore.standings``."""
        return await self._reads.standings(views)

    async def close(self) -> None:
        """Finish what is in flight, close the connections, end the thread."""
        await self._pool.close()
        self._folds.close()
