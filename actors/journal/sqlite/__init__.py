"""The embedded journal: one SQLite file per context, shared by the processes of one host.

A commit appends its events to ``events``, next to each other, by one statement; that is all it waits for.
The two indexes, by shard and by entity, follow behind in key order while the writer is idle; until then the
latest events, the *tail*, are found through memory, which a claim reads back from the file.
Processes take *turns* to write, and one of them does the *upkeep*, indexing and checkpoints, for all.
``docs/decisions/0001-journal-layout.md`` and ``0007-sqlite-shared-by-workers.md`` have the figures.

Three threads serve the loop: the *writer* (appends, claims, indexing), the *reader* (many replays by one
query) and the *checkpointer* (moves the write-ahead log into the file beside the commits).
"""

from actors.journal.sqlite.inspection import read_entity
from actors.journal.sqlite.journal import SqliteJournal

__all__ = ["SqliteJournal", "read_entity"]
