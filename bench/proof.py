"""What was acknowledged is in the journal, and nothing else."""

import asyncio
from collections import Counter
from pathlib import Path

import msgspec

from actors.journal.sqlite import SqliteJournal

PAGE = 10_000


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


def stored(path: Path) -> Counter[str]:
    """Events in the journal by type, read shard by shard as any follower of its feed does."""
    return asyncio.run(_stored(path))


async def _stored(path: Path) -> Counter[str]:
    journal = await SqliteJournal.open(path)
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
