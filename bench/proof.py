"""What was acknowledged is in the journal, and nothing else."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import msgspec

from actors.journal.port import Journal
from actors.journal.postgres import PostgresJournal
from actors.journal.sqlite import SqliteJournal
from bench.wrk import Slice

PAGE = 10_000


class NotStored(Exception):
    """A journal does not hold what was acknowledged; one line."""


class Proof(msgspec.Struct, frozen=True):
    """Reservations by two accounts."""

    answered: int
    """Commands answered with 2xx."""
    issued: int
    """Commands sent; the difference was under way when wrk closed its connections."""
    stored: int
    """Events in the journal."""

    @property
    def holds(self) -> bool:
        """Every answer is stored once; what was under way may be."""
        return self.answered <= self.stored <= self.issued

    def __str__(self) -> str:
        told = "exactly what was acknowledged" if self.holds else "NOT WHAT WAS ACKNOWLEDGED"
        return (
            f"journal: {self.stored:,} Reserved events for {self.answered:,} accepted commands "
            f"({self.issued - self.answered:,} more were under way when a load ended): {told}"
        )


def check(slices: Iterable[Slice], stored: Counter[str]) -> None:
    """Raises NotStored unless the journal holds what these slices reserved."""
    seen = list(slices)
    proof = Proof(sum(one.requests for one in seen), sum(one.issued for one in seen), stored["Reserved"])
    if not proof.holds:
        raise NotStored(str(proof))


def stored(path: Path) -> Counter[str]:
    """Events in a journal of SQLite by type, read shard by shard as any follower of its feed does."""
    return asyncio.run(_stored(lambda: SqliteJournal.open(path)))


def stored_in_postgres(url: str, context: str) -> Counter[str]:
    """The same of a context's journal on PostgreSQL."""
    return asyncio.run(_stored(lambda: PostgresJournal.open(url, context)))


async def _stored(opened: Callable[[], Awaitable[Journal]]) -> Counter[str]:
    journal = await opened()
    found: Counter[str] = Counter()
    try:
        for shard in range(journal.shards):
            last = 0
            while rows := await journal.feed(shard, last, PAGE):
                found.update(row.type for row in rows)
                last = rows[-1].seq
    finally:
        await journal.close()
    return found
