"""A database that was demoted: it reads, and takes no writes, until another or itself takes them again."""

import asyncio
from pathlib import Path

import asyncpg

from tests.acceptance.theatre import SPACE, reservation, until
from tests.chaos.cluster.cluster import clustered
from tests.chaos.cluster.node import Node

PATH = "/booking/spaces/maple"


async def take_writes(url: str, value: bool) -> None:
    """Let the server's sessions write, or not any more."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET default_transaction_read_only = off")
        setting = "off" if value else "on"
        await connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {setting}")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


async def status(node: Node, method: str, path: str, body: object = None) -> int:
    return (await asyncio.to_thread(node.ask, method, path, body))[0]


async def test_a_read_only_database_is_short_refusals_and_no_restart(tmp_path: Path) -> None:
    async with clustered(tmp_path, (1,), "gateway.deadline=1", "commits.lock_seconds=0.5") as cluster:
        (node,) = cluster.nodes
        workers = node.workers()
        assert await status(node, "POST", PATH, SPACE) == 201
        await take_writes(cluster.postgres.url, False)
        attempts = 0

        async def refused() -> bool:
            nonlocal attempts
            attempts += 1
            found = await status(node, "POST", f"{PATH}/reservations", reservation(attempts))
            # The reload reaches the server's sessions a moment after it was asked for.
            assert found in (201, 503)
            return found == 503

        async def red() -> bool:
            return await status(node, "GET", "/readyz") == 503

        async def served() -> bool:
            return await status(node, "POST", f"{PATH}/reservations", reservation(0)) in (200, 201)

        await until(refused)
        await until(red)
        await take_writes(cluster.postgres.url, True)
        await until(served)
        assert await status(node, "GET", "/readyz") == 200
        made = await asyncio.to_thread(node.ask, "GET", PATH)
        stored = [row for row in await cluster.stored() if row.type == "Reserved"]
        assert len(made[1]["state"]["reservations"]) == len(stored) == attempts
        assert node.workers() == workers
        await cluster.stop()
