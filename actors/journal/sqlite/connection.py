"""Opening the file: pragmas, waiting for locks, migrations."""

import time
from pathlib import Path
from typing import Any

import apsw

from actors.journal.port import JournalUnavailable
from actors.journal.sqlite.failures import failure
from actors.journal.sqlite.statements import migrations_after, sql
from actors.journal.sqlite.turn import Turn

_POLL_SECONDS = 0.0005
"""SQLite's own waiting sleeps up to 100 ms between tries and so misses short gaps between foreign locks."""
_CACHE_KIB = 32_768
_MAPPED_BYTES = 256 * 1024 * 1024
"""Mapped reading takes half the CPU time of a cold replay. Bounded, because it counts as resident memory;
an unreadable page of the disk would end the process instead of failing the read."""


def connect(path: Path, lock_seconds: float, *, readonly: bool = False) -> apsw.Connection:
    """A connection that waits up to ``lock_seconds`` for locks of other processes."""
    flags = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    try:
        connection = apsw.Connection(str(path), flags=flags)
        wait_for_locks(connection, lock_seconds)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA temp_store = MEMORY")
    except apsw.Error as error:
        raise type(failure(error, writing=False))(f"cannot open the journal {path}: {error}") from error
    return connection


def select(
    connection: apsw.Connection, statement: str, parameters: tuple[Any, ...] = ()
) -> list[tuple[Any, ...]]:
    """All rows of a statement, typed as loosely as SQLite types them."""
    rows: list[tuple[Any, ...]] = connection.execute(statement, parameters).fetchall()
    return rows


def wait_for_locks(connection: apsw.Connection, seconds: float) -> None:
    """Poll for a lock for ``seconds`` before SQLITE_BUSY is raised."""
    until = 0.0

    def wait(tries: int) -> bool:
        nonlocal until
        now = time.monotonic()
        if tries == 0:
            until = now + seconds
        if now >= until:
            return False
        time.sleep(_POLL_SECONDS)
        return True

    connection.set_busy_handler(wait)


def prepare(connection: apsw.Connection, shards: int) -> int:
    """Make or migrate the journal's tables; returns the file's number of shards.

    ``shards`` counts only when the file is new. Raises ``Corrupted`` if it is of a later version or no
    journal, ``JournalUnavailable`` or ``JournalFull`` if it cannot be read or written."""
    try:
        [(mode,)] = select(connection, "PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise JournalUnavailable(
                f"the journal's file system cannot share memory between processes (journal mode {mode}): "
                "use a local disk"
            )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        connection.execute("BEGIN IMMEDIATE")
        try:
            _migrate(connection, shards)
            [(found,)] = select(connection, "SELECT shards FROM journal")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    except apsw.Error as error:
        raise failure(error, writing=False) from error
    return int(found)


def _migrate(connection: apsw.Connection, shards: int) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations "
        "(version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied TEXT NOT NULL)"
    )
    [(version,)] = select(connection, "SELECT ifnull(max(version), 0) FROM migrations")
    for number, name, text in migrations_after(version):
        connection.execute(text)
        connection.execute("INSERT INTO migrations VALUES (?, ?, datetime('now'))", (number, name))
    if version == 0:
        connection.execute("INSERT INTO journal (one, shards) VALUES (1, ?)", (shards,))


def open_reader(path: Path, lock_seconds: float) -> apsw.Connection:
    """A connection that only reads."""
    connection = connect(path, lock_seconds)
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}").fetchall()
    connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    return connection


def open_gathering(path: Path, lock_seconds: float, shards: int, turn: Turn) -> tuple[apsw.Connection, int]:
    """The writer's connection, with its place for sorting, and the file's number of shards."""
    connection = connect(path, lock_seconds)
    try:
        # SQLite does not wait for other openers while it turns a new file to write-ahead logging.
        turn.take_within(lock_seconds)
        try:
            found = prepare(connection, shards)
        finally:
            turn.free()
        connection.execute(sql("gather_tables"))
    except BaseException:
        connection.close()
        raise
    return connection, found
