"""The journal's port on PostgreSQL."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from actors.journal.port import Claim, Corrupted, Fold, Row, Snapshot, Tenure
from actors.journal.postgres.failures import FAILURES, failure
from actors.journal.postgres.feed import PostgresFeed
from actors.journal.postgres.heads import Heads, runs_of
from actors.journal.postgres.pool import Pool
from actors.journal.postgres.reading import repeatable
from actors.journal.postgres.replays import Replays
from actors.journal.postgres.schema import prepare
from actors.journal.postgres.session import Session, connect
from actors.journal.postgres.statements import sql
from actors.settings import JournalSettings

T = TypeVar("T")

_log = logging.getLogger(__name__)

_WRITES, _READS = "writes", "reads"
_LANES = {_WRITES: 2, _READS: 2}
"""Connections: an append and a claim may go on at once, and so may two reads."""
_PAGE = 1_000
"""Rows that are fetched at once: more would keep the loop from everything else."""


class PostgresJournal:
    """See ``port.Journal`` for the methods. Made by ``open``."""

    def __init__(self, pool: Pool, context: str, shards: int, identity: str) -> None:
        self._pool = pool
        self._shards = shards
        self._identity = identity
        self._heads = Heads()
        self._unheard: set[tuple[int, int]] = set()
        """(shard, epoch) that a claim may have made without its answer having come."""
        self._replays = Replays(self._read, context, _LANES[_READS])

    @classmethod
    async def open(
        cls, url: str, context: str, shards: int = 64, settings: JournalSettings | None = None
    ) -> "PostgresJournal":
        """Open or make the journal of ``context``; ``shards`` counts only when it is made.

        ``url`` is ``postgresql://user@host/database``, with several hosts (``host1,host2:5433``) where a
        standby may take over. Raises ``JournalUnavailable``, ``JournalFull``, or ``Corrupted`` when the
        schema is of a later version."""
        seconds = (settings or JournalSettings()).lock_seconds
        pool = Pool(lambda: connect(url, context, seconds), _LANES, seconds)

        async def prepared(session: Session) -> tuple[int, str]:
            await _warn_if_careless(session, context)
            number = await prepare(session.connection, context, shards)
            return number, await session.connection.fetchval(sql("identity"))

        try:
            return cls(pool, context, *await repeatable(pool, _WRITES, prepared))
        except BaseException:
            await pool.close()
            raise

    @property
    def shards(self) -> int:
        """The journal's number of shards."""
        return self._shards

    @property
    def identity(self) -> str:
        """What tells this journal from any other of the cluster; the same after a failover to a physical
        standby, another for a restored copy."""
        return self._identity

    @property
    def dead(self) -> str:
        """Why the journal serves no more; empty while it does. No outage of the server ends it."""
        return "the journal is closed" if self._pool.closed else ""

    async def claim(
        self, shards: Sequence[int], owner: str, after: Mapping[int, int] | None = None
    ) -> list[Claim]:
        """See ``port.Journal.claim``."""
        if any(not 0 <= shard < self._shards for shard in shards):
            raise ValueError(f"shards are numbered 0 to {self._shards - 1}")
        follows = [None if after is None else after[shard] for shard in shards]
        makes = [
            (shard, epoch + 1) for shard, epoch in zip(shards, follows, strict=True) if epoch is not None
        ]

        async def raised(session: Session) -> list[Claim]:
            # A try that took effect unheard must not make the next one, here or by the caller, leave the
            # shard out as another's. Owners' names are never used twice, so one that is ours is that try's.
            unheard = [epoch if (shard, epoch) in self._unheard else None for shard, epoch in makes]
            self._unheard.update(makes)
            epochs = dict(await session.fetch("claim", list(shards), owner, follows, unheard))
            self._unheard.difference_update(makes)
            # Only now: once the epochs are raised, nothing under an older one can come in behind this look.
            lasts = dict(await session.fetch("heads", list(epochs)))
            return [Claim(shard, epochs[shard], lasts[shard]) for shard in shards if shard in epochs]

        # One without ``after`` that took effect unheard is harmless: the next is higher still.
        claims = await repeatable(self._pool, _WRITES, raised)
        self._heads.claimed(claims)
        return claims

    async def tenures(self) -> list[Tenure]:
        """See ``port.Journal.tenures``."""
        return list(map(Tenure._make, await self._read("tenures")))

    async def release(self, epochs: Mapping[int, int]) -> None:
        """See ``port.Journal.release``."""
        # To be repeated like a claim: the epochs stay, so whoever claimed after a first try has another.
        shards = list(epochs)
        await repeatable(
            self._pool, _WRITES, lambda session: session.fetch("release", shards, list(epochs.values()))
        )

    async def append(
        self, rows: Sequence[Row], epochs: Mapping[int, int], snapshots: Sequence[Snapshot] = ()
    ) -> frozenset[int]:
        """See ``port.Journal.append``."""
        if not epochs:
            return frozenset()
        runs = runs_of(rows)
        unsure = self._heads.unsure(runs, epochs)
        newest = {(one.aggregate, one.id): one for one in snapshots}
        sent = False
        try:
            async with self._pool.session(_WRITES) as session:
                await session.prepare("append")
                sent = True
                [(held, out_of_order)] = await session.fetch(
                    "append", list(epochs), list(epochs.values()), unsure, rows, list(newest.values())
                )
        except FAILURES as error:
            raise failure(error, sent=sent) from error
        if out_of_order:
            raise Corrupted(f"the sequences of shards {sorted(out_of_order)} do not follow what is stored")
        self._heads.moved(runs, epochs, held)
        return frozenset(epochs).difference(held)

    async def replay(self, aggregate: str, id: str, fold: Fold[T]) -> T:
        """See ``port.Journal.replay``."""
        result: T = await self._replays.submit(aggregate, id, fold, from_snapshot=True)
        return result

    async def replay_all(self, aggregate: str, id: str, fold: Fold[T], upto: int | None = None) -> T:
        """See ``port.Journal.replay_all``."""
        result: T = await self._replays.submit(aggregate, id, fold, from_snapshot=False, upto=upto)
        return result

    async def history(self, aggregate: str, id: str, after: int, limit: int) -> list[Row]:
        """See ``port.Journal.history``."""
        return await self._pages("history", (aggregate, id), after, limit)

    async def feed(self, shard: int, after: int, limit: int) -> list[Row]:
        """See ``port.Journal.feed``."""
        return await self._pages("feed", (shard,), after, limit)

    def follow(self, after: Mapping[int, int]) -> PostgresFeed:
        """See ``port.Journal.follow``."""
        return PostgresFeed(self._read, self._shards, after)

    async def heads(self) -> dict[int, int]:
        """See ``port.Journal.heads``."""
        lasts = await self._read("heads", list(range(self._shards)))
        return {shard: seq for shard, seq in lasts if seq}

    async def close(self) -> None:
        """Finish what is in flight, close the connections, end the threads."""
        await self._replays.close()
        await self._pool.close()

    async def _pages(self, name: str, key: tuple[Any, ...], after: int, limit: int) -> list[Row]:
        """Rows after a version or sequence; those have no gaps, so the next page is known by its number."""
        rows: list[Row] = []
        while len(rows) < limit:
            wanted = min(_PAGE, limit - len(rows))
            records = await self._read(name, *key, after + len(rows), wanted)
            rows.extend(map(Row._make, records))
            if len(records) < wanted:
                break
        return rows

    async def _read(self, name: str, *arguments: Any) -> list[Any]:
        return await repeatable(self._pool, _READS, lambda session: session.read(name, *arguments))


async def _warn_if_careless(session: Session, context: str) -> None:
    for setting in ("fsync", "full_page_writes"):
        if await session.connection.fetchval("SELECT current_setting($1)", setting) == "off":
            _log.warning(
                "the journal's server may lose acknowledged events in a crash",
                extra={"fields": {"context": context, "setting": setting, "value": "off"}},
            )
