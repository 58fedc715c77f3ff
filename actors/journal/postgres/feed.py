"""All shards of a journal in PostgreSQL, read on and on."""

from collections.abc import Mapping

from actors.journal.port import Row
from actors.journal.postgres.reading import Read

_PAGE = 1_000
"""Rows that are fetched at once: more would keep the loop from everything else."""


class PostgresFeed:
    """See ``port.Feed``."""

    def __init__(self, read: Read, shards: int, after: Mapping[int, int]) -> None:
        self._read = read
        self._after = {shard: after.get(shard, 0) for shard in range(shards)}

    async def read(self, limit: int) -> list[Row]:
        """See ``port.Feed.read``."""
        # Those that were read longest ago come first, so that a busy shard keeps none from being read.
        shards, after = list(self._after), list(self._after.values())
        rows = list(map(Row._make, await self._read("follow", shards, after, min(limit, _PAGE))))
        for shard, seq in {row.shard: row.seq for row in rows}.items():
            del self._after[shard]
            self._after[shard] = seq
        return rows
