"""Opening the file of views: pragmas, locks, migrations."""

from pathlib import Path

import apsw

from actors.journal.port import JournalError
from actors.journal.sql_files import SqlFiles
from actors.journal.sqlite.connection import select, wait_for_locks
from actors.journal.sqlite.turn import Turn
from actors.views.port import ViewsDamaged, ViewsUnavailable
from actors.views.sqlite.failures import failure

_CACHE_KIB = 65_536
_MAPPED_BYTES = 256 * 1024 * 1024
_CHECKPOINT_PAGES = 25_000
"""A checkpoint within a commit is for when the checkpointer falls behind, at some 100 MB of log."""

_files = SqlFiles("actors.views.sqlite")
sql = _files.text


def open_writer(path: Path, lock_seconds: float, turn: Turn) -> apsw.Connection:
    """A connection to a file of this version. Raises ViewsDamaged, ViewsUnavailable."""
    try:
        connection = _connect(path, lock_seconds)
        try:
            # SQLite does not wait for other openers while it turns a new file to write-ahead logging.
            turn.take_within(lock_seconds)
            try:
                _prepare(connection)
            finally:
                turn.free()
        except BaseException:
            connection.close()
            raise
    except apsw.Error as error:
        raise type(failure(error))(f"cannot open the views {path}: {error}") from error
    except JournalError as error:
        raise ViewsUnavailable(f"cannot open the views {path}: {error}") from error
    return connection


def open_reader(path: Path, lock_seconds: float) -> apsw.Connection:
    """A connection that only reads."""
    try:
        connection = _connect(path, lock_seconds)
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}").fetchall()
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    except apsw.Error as error:
        raise type(failure(error))(f"cannot open the views {path}: {error}") from error
    return connection


def _connect(path: Path, lock_seconds: float) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    wait_for_locks(connection, lock_seconds)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _prepare(connection: apsw.Connection) -> None:
    [(mode,)] = select(connection, "PRAGMA journal_mode = WAL")
    if mode != "wal":
        raise ViewsUnavailable(
            f"the file system of the views cannot share memory between processes (journal mode {mode}): "
            "use a local disk"
        )
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}").fetchall()
    with Transaction(connection):
        _migrate(connection)


def _migrate(connection: apsw.Connection) -> None:
    [(version,)] = select(connection, "PRAGMA user_version")
    try:
        missing = _files.migrations_after(version)
    except JournalError as error:
        raise ViewsDamaged(str(error)) from error
    for number, _, text in missing:
        connection.execute(text)
        connection.execute(f"PRAGMA user_version = {number}")


class Transaction:
    """``with``: one immediate transaction, rolled back by any exception."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
