"""Of two who want the same slot at the same moment, at different workers, one gets it; the journal agrees."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from actors.journal.port import Row
from tests.chaos.checker import Evidence, check, report
from tests.chaos.cluster.cluster import clustered, end
from tests.chaos.cluster.node import Node, alone
from tests.chaos.conftest import Tell
from tests.chaos.history import History
from tests.chaos.rivals import Rival, compete, rival
from tests.chaos.stored import stored

ROUNDS = 1_000
LANES = 10
ATTEMPTS = 100
"""Connections until every worker has got its share, at most."""


async def at(node: Node, stack: AsyncExitStack, history: History) -> list[Rival]:
    """Rivals at a node's gateway."""
    names = [f"rival-{node.name}-{number}" for number in range(LANES)]
    return [await stack.enter_async_context(rival(name, node, history)) for name in names]


async def two_sides(
    stack: AsyncExitStack, node: Node, history: History
) -> tuple[Sequence[Rival], Sequence[Rival]]:
    """Rivals at two workers of one node, so many at each: the kernel spreads the connections."""
    one, other = node.workers()
    sides: dict[int, list[Rival]] = {one: [], other: []}
    for number in range(ATTEMPTS):
        each = await stack.enter_async_context(rival(f"rival-{number}", node, history))
        sides[each.worker].append(each)
        if min(len(side) for side in sides.values()) >= LANES:
            return sides[one][:LANES], sides[other][:LANES]
    raise AssertionError("the kernel gives one worker all connections")


def judge(history: History, rows: Sequence[Row], told: Sequence[Sequence[int]]) -> None:
    """One success and one event in each round, and everything explained by one order."""
    assert Counter(tuple(sorted(statuses)) for statuses in told) == {(201, 409): ROUNDS}
    assert Counter(row.type for row in rows) == {"Opened": LANES, "Reserved": ROUNDS}
    evidence = Evidence(history.operations, rows, history.origin)
    faults = check(evidence)
    assert not faults, report(evidence, faults)


async def test_one_of_two_rivals_at_two_nodes_gets_each_slot(tmp_path: Path, seed: int, tell: Tell) -> None:
    history = History()
    async with clustered(tmp_path, (1, 1)) as cluster, AsyncExitStack() as stack:
        ones, others = [await at(node, stack, history) for node in cluster.nodes]
        began = history.now()
        told = await compete(ones, others, ROUNDS, seed)
        tell(f"{ROUNDS} rounds through two nodes on PostgreSQL: {history.now() - began:.1f} s")
        await stack.aclose()
        await cluster.stop()
        judge(history, await cluster.stored(), told)


async def test_one_of_two_rivals_at_two_workers_of_a_node_gets_each_slot(
    tmp_path: Path, seed: int, tell: Tell
) -> None:
    history = History()
    async with alone(tmp_path, workers=2) as node, AsyncExitStack() as stack:
        ones, others = await two_sides(stack, node, history)
        began = history.now()
        told = await compete(ones, others, ROUNDS, seed)
        tell(f"{ROUNDS} rounds through two workers on SQLite: {history.now() - began:.1f} s")
        await stack.aclose()
        assert await end(node) == 0, node.running.log
    judge(history, await stored(tmp_path / "solo" / "data" / "booking.sqlite"), told)
