"""Reading an entity's events for people, also while a worker runs, without its context's code."""

from pathlib import Path

import apsw

from actors.journal.port import JournalUnavailable, Row
from actors.journal.sqlite.connection import connect, select
from actors.journal.sqlite.failures import failure
from actors.journal.sqlite.statements import sql


def read_entity(
    path: Path, aggregate: str, id: str, after: int = 0, limit: int = 1_000, *, lock_seconds: float = 4.0
) -> list[Row]:
    """At most ``limit`` committed rows of an entity with versions above ``after``, by version.

    ``path`` is the context's journal file. Raises ``JournalUnavailable`` if there is none or it cannot be
    read, ``Corrupted`` if it is no journal."""
    if not path.is_file():
        raise JournalUnavailable(f"there is no journal at {path}")
    connection = connect(path, lock_seconds, readonly=True)
    try:
        found = select(connection, sql("inspect_entity"), (aggregate, id, after, limit))
    except apsw.Error as error:
        raise failure(error, writing=False) from error
    finally:
        connection.close()
    return [Row(*columns) for columns in found]
