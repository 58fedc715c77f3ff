"""Which of the views' errors a failure of the server is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from actors.journal.port import Corrupted, JournalError
from actors.journal.postgres.failures import FAILURES, failure
from actors.views.port import ViewsDamaged, ViewsError, ViewsUnavailable


@asynccontextmanager
async def told() -> AsyncIterator[None]:
    """Raises ``ViewsError`` for whatever the server or the line to it does in the block.

    Nothing is in doubt: what may have been committed moved positions with it, and those tell."""
    try:
        yield
    except FAILURES as error:
        raise _views_error(failure(error, sent=False)) from error
    except JournalError as error:
        raise _views_error(error) from error


def _views_error(error: JournalError) -> ViewsError:
    return ViewsDamaged(str(error)) if isinstance(error, Corrupted) else ViewsUnavailable(str(error))
