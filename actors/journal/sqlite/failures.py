"""Which of the journal's errors an SQLite error is."""

import apsw

from actors.journal.port import Corrupted, JournalError, JournalFull, JournalUnavailable, OutcomeUnknown

_UNSURE = (apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC, apsw.SQLITE_IOERR_CLOSE)
"""The commit record may have reached the file although the sync of it failed."""


def failure(error: apsw.Error, *, writing: bool) -> JournalError:
    """What to raise for ``error``; ``writing`` when a transaction could have been committed.

    A write that fails before the sync leaves a commit record incomplete, so SQLite's rollback is certain:
    the log's checksums do not cover it."""
    extended = getattr(error, "extendedresult", 0)
    if isinstance(error, apsw.FullError):
        return JournalFull(f"no space left for the journal: {error}")
    if isinstance(error, apsw.ReadOnlyError):
        return JournalFull(f"the journal is read-only: {error}")
    if isinstance(error, apsw.IOError):
        if writing and extended in _UNSURE:
            return OutcomeUnknown(f"the journal's disk failed while committing: {error}")
        if writing and extended == apsw.SQLITE_IOERR_WRITE:
            return JournalFull(f"the journal cannot be written: {error}")
        return JournalUnavailable(f"the journal's disk failed: {error}")
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return JournalUnavailable(f"another process holds the journal's lock: {error}")
    if isinstance(error, (apsw.ConstraintError, apsw.CorruptError, apsw.NotADBError, apsw.MismatchError)):
        return Corrupted(f"the journal is inconsistent: {error}")
    return JournalUnavailable(f"the journal failed: {error}")
