"""Reading a context's whole journal once its owner has gone."""

from pathlib import Path

from actors.journal.port import Row
from actors.journal.sqlite import SqliteJournal

PAGE = 1_000


async def stored(path: Path) -> list[Row]:
    """Every event in the file, by shard and sequence."""
    journal = await SqliteJournal.open(path)
    try:
        rows: list[Row] = []
        for shard in range(journal.shards):
            after = 0
            while page := await journal.feed(shard, after, PAGE):
                rows += page
                after = page[-1].seq
        return rows
    finally:
        await journal.close()
