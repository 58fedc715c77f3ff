"""Reading a context's whole journal."""

from pathlib import Path

from actors.journal.port import Row
from actors.journal.postgres import PostgresJournal
from actors.journal.sqlite import SqliteJournal

PAGE = 1_000


async def stored(path: Path) -> list[Row]:
    """Every event in the file, by shard and sequence, once its owner has gone."""
    journal = await SqliteJournal.open(path)
    try:
        return await _feeds(journal)
    finally:
        await journal.close()


async def stored_in_postgres(url: str, context: str) -> list[Row]:
    """Every event of the context, by shard and sequence."""
    journal = await PostgresJournal.open(url, context)
    try:
        return await _feeds(journal)
    finally:
        await journal.close()


async def _feeds(journal: SqliteJournal | PostgresJournal) -> list[Row]:
    rows: list[Row] = []
    for shard in range(journal.shards):
        after = 0
        while page := await journal.feed(shard, after, PAGE):
            rows += page
            after = page[-1].seq
    return rows
