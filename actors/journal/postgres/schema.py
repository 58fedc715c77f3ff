"""A context's schema: made, migrated, and refused if it is of a later program."""

from collections.abc import Callable

import asyncpg

from actors.journal.postgres.statements import migrations_after

MIGRATION_SECONDS = 60.0
"""For one migration at most, once it has the lock."""


async def prepare(connection: asyncpg.Connection, context: str, shards: int) -> int:
    """Make or migrate the journal's tables; returns the journal's number of shards.

    ``shards`` counts only when the journal is new. Raises what ``migrate`` raises."""
    async with connection.transaction():
        if await migrate(connection, context, f"butai journal {context}", migrations_after) == 0:
            await connection.execute(
                "INSERT INTO shards SELECT n, 0, '' FROM generate_series(0, $1::integer - 1) AS n", shards
            )
        found: int = await connection.fetchval("SELECT count(*) FROM shards")
    return found


async def migrate(
    connection: asyncpg.Connection,
    schema: str,
    lock: str,
    migrations: Callable[[int], list[tuple[int, str, str]]],
) -> int:
    """Within a transaction, bring the schema that search_path names to the newest version; returns the one it
    was of, 0 if it is new. Workers that start at once do it one after the other: they meet at ``lock``.

    Raises ``Corrupted`` if the schema is of a later version, and what asyncpg raises."""
    # Not for the tables' sake: they do not exist yet when two of the first workers meet.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", lock)
    await connection.execute(f"SET LOCAL statement_timeout = {int(MIGRATION_SECONDS * 1000)}")
    version = await _version(connection, schema)
    for number, name, text in migrations(version):
        await connection.execute(text, timeout=MIGRATION_SECONDS + 1)
        await connection.execute("INSERT INTO migrations VALUES ($1, $2)", number, name)
    return version


async def _version(connection: asyncpg.Connection, schema: str) -> int:
    # Asked first: who may not create a schema is refused even if it exists, and one that is ready needs no
    # such right.
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", schema):
        quoted = schema.replace('"', '""')
        await connection.execute(f'CREATE SCHEMA "{quoted}"')
    if await connection.fetchval("SELECT to_regclass('migrations')") is None:
        await connection.execute(
            "CREATE TABLE migrations (version integer PRIMARY KEY, name text NOT NULL, "
            "applied timestamptz NOT NULL DEFAULT now())"
        )
    version: int = await connection.fetchval("SELECT coalesce(max(version), 0) FROM migrations")
    return version
