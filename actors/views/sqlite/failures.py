"""Which of the store's errors an SQLite error is."""

import apsw

from actors.views.port import ViewsDamaged, ViewsError, ViewsUnavailable


def failure(error: apsw.Error) -> ViewsError:
    """What to raise for ``error``. Nothing was done: a transaction that fails is rolled back."""
    if isinstance(error, (apsw.FullError, apsw.ReadOnlyError)):
        return ViewsUnavailable(f"views cannot be written: {error}")
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return ViewsUnavailable(f"another process holds the lock of the views: {error}")
    if isinstance(error, (apsw.ConstraintError, apsw.CorruptError, apsw.NotADBError, apsw.MismatchError)):
        return ViewsDamaged(f"the views are inconsistent: {error}")
    return ViewsUnavailable(f"the views failed: {error}")
