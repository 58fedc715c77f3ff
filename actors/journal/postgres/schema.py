"""A context's schema: made, migrated, and refused if it is of a later program."""

import asyncpg

from actors.journal.postgres.statements import migrations_after

MIGRATION_SECONDS = 60.0
"""For one migration at most, once it has the lock."""


async def prepare(connection: asyncpg.Connection, context: str, shards: int) -> int:
    """Make or migrate the journal's tables; returns the journal's number of shards.

    ``shards`` counts only when the journal is new. Workers that start at once do it one after the other.
    Raises ``Corrupted`` if the schema is of a later version, and what asyncpg raises."""
    async with connection.transaction():
        # Not for the tables' sake: they do not exist yet when two of the first workers meet.
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"butai journal {context}"
        )
        await connection.execute(f"SET LOCAL statement_timeout = {int(MIGRATION_SECONDS * 1000)}")
        version = await _version(connection, context)
        for number, name, text in migrations_after(version):
            await connection.execute(text, timeout=MIGRATION_SECONDS + 1)
            await connection.execute("INSERT INTO migrations VALUES ($1, $2)", number, name)
        if version == 0:
            await connection.execute(
                "INSERT INTO shards SELECT n, 0, '' FROM generate_series(0, $1::integer - 1) AS n", shards
            )
        found: int = await connection.fetchval("SELECT count(*) FROM shards")
    return found


async def _version(connection: asyncpg.Connection, context: str) -> int:
    # Asked first: who may not create a schema is refused even if it exists, and one that is ready needs no
    # such right.
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", context):
        quoted = context.replace('"', '""')
        await connection.execute(f'CREATE SCHEMA "{quoted}"')
    if await connection.fetchval("SELECT to_regclass('migrations')") is None:
        await connection.execute(
            "CREATE TABLE migrations (version integer PRIMARY KEY, name text NOT NULL, "
            "applied timestamptz NOT NULL DEFAULT now())"
        )
    version: int = await connection.fetchval("SELECT coalesce(max(version), 0) FROM migrations")
    return version
