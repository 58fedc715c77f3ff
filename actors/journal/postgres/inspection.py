"""Reading an entity's events for people, also while workers run, without its context's code."""

import asyncio

from actors.journal.port import Row
from actors.journal.postgres.failures import FAILURES, failure
from actors.journal.postgres.session import connect


def read_entity(
    url: str, context: str, aggregate: str, id: str, after: int = 0, limit: int = 1_000, seconds: float = 4.0
) -> list[Row]:
    """At most ``limit`` committed rows of an entity with versions above ``after``, by version.

    Raises ``JournalError`` when the server cannot be reached or has no journal of ``context``."""

    async def read() -> list[Row]:
        session = await connect(url, context, seconds)
        try:
            return list(map(Row._make, await session.read("history", aggregate, id, after, limit)))
        except FAILURES as error:
            raise failure(error, sent=False) from error
        finally:
            await session.close()

    return asyncio.run(read())
