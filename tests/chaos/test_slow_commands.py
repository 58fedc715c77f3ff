"""A command that is still being decided when its shard moves takes effect once, or not at all."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from actors.journal.port import Row
from actors.region import shard_of
from tests.chaos.cluster.cluster import Cluster, clustered, end
from tests.chaos.cluster.node import Node
from tests.chaos.journal_order import check_order

CONTEXTS = "contexts=[tests.chaos.slow_seat]"
PATIENT = "node.hang_seconds=60"
"""The node must not end a worker that decides for longer than its lease."""
SLOW = 1_500
"""Milliseconds of a slow decision: no lease ends meanwhile."""
TOO_SLOW = 5_000
"""Longer than a lease: the others take the shard over meanwhile."""
SEATS = 6


async def take(node: Node, seat: str, who: str, milliseconds: int = 0) -> int:
    """The status; 0 when no answer came."""
    body = {"who": who, "milliseconds": milliseconds}
    try:
        return (await asyncio.to_thread(node.ask, "POST", f"/seats/seats/{seat}", body, 20.0))[0]
    except OSError:
        return 0


def judge(rows: list[Row], told: dict[str, list[int]]) -> None:
    """One winner for each seat, who is in the journal; the others were refused, and nothing is torn."""
    assert not list(check_order(rows))
    winners = Counter(row.id for row in rows)
    assert winners == dict.fromkeys(told, 1), f"{winners}, but told was {told}"
    for seat, statuses in told.items():
        assert statuses.count(200) <= 1, f"{seat}: {statuses}"
        assert set(statuses) <= {200, 409, 503, 504}, f"{seat}: {statuses}"
    assert sum(statuses.count(200) for statuses in told.values()) == len(rows), told


async def test_a_slow_command_takes_effect_once_while_nodes_join_and_leave(tmp_path: Path) -> None:
    async with clustered(tmp_path, (1,), CONTEXTS) as cluster:
        (first,) = cluster.nodes
        guests = [cluster.add(name, 1) for name in ("b", "c")]
        for guest in guests:
            guest.launch()
        joining = [asyncio.create_task(guest.ready()) for guest in guests]
        told: dict[str, list[asyncio.Task[int]]] = {}
        # One slow decision after the other, until both have joined in the middle of one.
        while len(told) < SEATS or not all(task.done() for task in joining):
            seat = f"seat-{len(told)}"
            slow = asyncio.create_task(take(first, seat, "slow", SLOW))
            await asyncio.sleep(SLOW / 2000)
            ready = [guest for guest in guests if guest.up]
            rivals = [asyncio.create_task(take(node, seat, node.name)) for node in (first, *ready)]
            told[seat] = [slow, *rivals]
            await slow
        await asyncio.gather(*joining)
        late = "late"
        told[late] = [asyncio.create_task(take(node, late, node.name, SLOW)) for node in cluster.nodes]
        # They are on their way before the nodes that they ask begin to end.
        await asyncio.sleep(SLOW / 2000)
        for guest in guests:
            assert await end(guest) == 0, guest.running.log
        statuses = {seat: list(await asyncio.gather(*tasks)) for seat, tasks in told.items()}
        await cluster.stop()
        judge(await cluster.stored("seats"), statuses)


async def seat_of(cluster: Cluster, node: Node) -> str:
    """A seat that lives on the node."""
    found = await cluster.survey()
    pids = {worker["worker"]: worker["pid"] for worker in found["workers"]}
    mine = {s["shard"] for s in found["shards"] if pids[s["owner"]] in node.workers()}
    sizes = {context["of"] for worker in found["workers"] for context in worker["contexts"]}
    return next(
        seat for seat in map("seat-{}".format, range(1000)) if shard_of("seat", seat, max(sizes)) in mine
    )


@pytest.mark.chaos
async def test_what_was_decided_after_the_shard_had_moved_is_refused(tmp_path: Path) -> None:
    async with clustered(tmp_path, (1, 1), CONTEXTS, PATIENT) as cluster:
        assert await cluster.settled(20.0)
        hanging, other = cluster.nodes
        seat = await seat_of(cluster, hanging)
        slow = asyncio.create_task(take(hanging, seat, "slow", TOO_SLOW))
        while await asyncio.to_thread(hanging.serves):
            assert not slow.done()
        statuses: list[int] = []
        while 200 not in statuses:
            statuses.append(await take(other, seat, "quick"))
            assert set(statuses) <= {200, 503}, statuses
        assert not slow.done(), "the seat was not free before the slow decision ended"
        told = {seat: [*statuses, await slow]}
        assert told[seat][-1] in (409, 503, 504), "what was decided too late was acknowledged"
        await cluster.stop()
        rows = await cluster.stored("seats")
        judge(rows, told)
        assert b"quick" in rows[0].data
