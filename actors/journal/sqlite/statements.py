"""The SQL of ``actors/journal/sql``, by file name."""

from functools import cache

from actors.journal.port import Row
from actors.journal.sql_files import SqlFiles

ROWS_PER_STATEMENT = 512
"""Beyond this a statement is too long for the cache of prepared ones, and twice as slow per row."""

_SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256, 320, 384, 448, 512)
COLUMNS = len(Row._fields)


_files = SqlFiles("actors.journal")
sql = _files.text
migrations_after = _files.migrations_after


@cache
def insert_of(size: int) -> str:
    """Insert ``size`` rows (``Row``'s fields) if the generation is the last parameter.

    One statement, because each call into SQLite lets the interpreter lock go and has to wait for it again:
    beside a busy loop 64 single inserts took 300 ms, one of 64 rows 7 ms. SQLite numbers the positions, one
    after the other. Rows without a shard are padding and left out."""
    row = f"({','.join('?' * COLUMNS)})"
    return (
        f"INSERT INTO events ({', '.join(Row._fields)}) "
        f"SELECT * FROM (VALUES {','.join([row] * size)}) "
        "WHERE column1 IS NOT NULL AND (SELECT generation FROM journal) = ?"
    )


def size_for(rows: int) -> int:
    """The smallest prepared size that takes ``rows`` rows (at most ``ROWS_PER_STATEMENT``)."""
    return next(size for size in _SIZES if size >= rows)
