"""Reading, with a second try on another connection when the first was lost."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from actors.journal.postgres.failures import FAILURES, ConnectionLost, failure
from actors.journal.postgres.pool import Pool
from actors.journal.postgres.session import Session

T = TypeVar("T")


class Read(Protocol):
    """Runs ``<name>.sql`` and returns its records."""

    async def __call__(self, name: str, *arguments: Any) -> list[Any]:
        """Raises ``JournalError``."""


async def repeatable(pool: Pool, lane: str, ask: Callable[[Session], Awaitable[T]]) -> T:
    """``ask`` on a connection, and once more on a new one if that was lost: one that was kept for long may
    have died unnoticed. Only for what may be done twice. Raises ``JournalError``."""
    try:
        return await _once(pool, lane, ask)
    except ConnectionLost:
        return await _once(pool, lane, ask)


async def _once(pool: Pool, lane: str, ask: Callable[[Session], Awaitable[T]]) -> T:
    try:
        async with pool.session(lane) as session:
            return await ask(session)
    except FAILURES as error:
        raise failure(error, sent=False) from error
