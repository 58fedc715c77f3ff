"""Every SQLite error has one meaning for the journal's callers."""

import apsw
import pytest

from actors.journal.port import Corrupted, JournalError, JournalFull, JournalUnavailable, OutcomeUnknown
from actors.journal.sqlite.failures import failure


@pytest.mark.parametrize(
    ("code", "writing", "reading"),
    [
        (apsw.SQLITE_FULL, JournalFull, JournalFull),
        (apsw.SQLITE_READONLY, JournalFull, JournalFull),
        (apsw.SQLITE_READONLY_DBMOVED, JournalFull, JournalFull),
        (apsw.SQLITE_BUSY, JournalUnavailable, JournalUnavailable),
        (apsw.SQLITE_BUSY_SNAPSHOT, JournalUnavailable, JournalUnavailable),
        (apsw.SQLITE_LOCKED, JournalUnavailable, JournalUnavailable),
        (apsw.SQLITE_CANTOPEN, JournalUnavailable, JournalUnavailable),
        (apsw.SQLITE_IOERR_READ, JournalUnavailable, JournalUnavailable),
        (apsw.SQLITE_IOERR_WRITE, JournalFull, JournalUnavailable),
        (apsw.SQLITE_IOERR_FSYNC, OutcomeUnknown, JournalUnavailable),
        (apsw.SQLITE_IOERR_DIR_FSYNC, OutcomeUnknown, JournalUnavailable),
        (apsw.SQLITE_CONSTRAINT_UNIQUE, Corrupted, Corrupted),
        (apsw.SQLITE_CONSTRAINT_NOTNULL, Corrupted, Corrupted),
        (apsw.SQLITE_CORRUPT, Corrupted, Corrupted),
        (apsw.SQLITE_NOTADB, Corrupted, Corrupted),
    ],
)
def test_an_error_means(code: int, writing: type[JournalError], reading: type[JournalError]) -> None:
    error = apsw.exception_for(code)
    assert isinstance(error, apsw.Error)
    assert type(failure(error, writing=True)) is writing
    assert type(failure(error, writing=False)) is reading
