"""Which of the journal's errors a PostgreSQL error is, and whether its connection can go on."""

import asyncpg

from actors.journal.port import Corrupted, JournalError, JournalFull, JournalUnavailable, OutcomeUnknown

FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What a call to the server may raise."""

_DISK_FULL = "53100"
_READ_ONLY = "25006"
_COMPLETION_UNKNOWN = "40003"
_CONNECTION = "08"
_DATA = "22"
_INTEGRITY = "23"
_INTERNAL = "XX"

_HARMLESS = (_DATA, _INTEGRITY, "40001", "40P01", "42P01", "55P03", "57014", _DISK_FULL)
"""Data, integrity, serialization, deadlock, missing table, lock timeout, statement timeout, disk full: the
statement failed, the server and its connection are as they were."""


class ConnectionLost(JournalUnavailable):
    """The server went away, or takes no writes any more; another connection may do. Nothing was written."""


def failure(error: BaseException, *, sent: bool) -> JournalError:
    """``sent``: a statement that writes is on its way to the server.

    An error that the server reports ended its transaction. Whatever else ends a sent statement says nothing
    of the commit, and neither does a server that ends the connection with its last words."""
    if _unencodable(error):
        return Corrupted(f"PostgreSQL cannot store a value: {error}")
    state = getattr(error, "sqlstate", None)
    if not isinstance(error, asyncpg.PostgresError) or state is None or _says_nothing(error, state):
        return _doubtful(error, sent=sent)
    if state.startswith((_INTEGRITY, _DATA, _INTERNAL)):
        return Corrupted(f"PostgreSQL: {error} ({state})")
    if state == _DISK_FULL:
        return JournalFull(f"PostgreSQL: {error}")
    if state == _READ_ONLY:
        return ConnectionLost(f"PostgreSQL is read-only: {error}")
    return JournalUnavailable(f"PostgreSQL: {error} ({state})")


def _unencodable(error: BaseException) -> bool:
    """A value that the client could not encode: nothing was sent."""
    return isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)


def _says_nothing(error: asyncpg.PostgresError, state: str) -> bool:
    severity = getattr(error, "severity_en", None) or getattr(error, "severity", None)
    return state.startswith(_CONNECTION) or state == _COMPLETION_UNKNOWN or severity in ("FATAL", "PANIC")


def _doubtful(error: BaseException, *, sent: bool) -> JournalError:
    what = str(error) or type(error).__name__
    if sent:
        return OutcomeUnknown(f"the answer of PostgreSQL is missing: {what}")
    if isinstance(error, TimeoutError):
        return JournalUnavailable("PostgreSQL did not answer in time")
    return ConnectionLost(f"the connection to PostgreSQL is lost: {what}")


def harmless(error: BaseException) -> bool:
    """The connection can be used again."""
    if _unencodable(error):
        return True
    state = getattr(error, "sqlstate", None) or ""
    return (
        isinstance(error, asyncpg.PostgresError)
        and state.startswith(_HARMLESS)
        and not _says_nothing(error, state)
    )
