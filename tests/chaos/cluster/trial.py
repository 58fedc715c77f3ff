"""A trial: clients at all gateways while a cluster suffers mishaps, then the verdict on what they saw."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from tests.chaos.checker import Evidence, check, report
from tests.chaos.clients import Client
from tests.chaos.cluster.chronicle import Chronicle
from tests.chaos.cluster.cluster import Cluster
from tests.chaos.cluster.figures import Figures, episodes, figures
from tests.chaos.cluster.mishaps import Mishap
from tests.chaos.cluster.node import Node
from tests.chaos.conftest import Tell
from tests.chaos.faults import describe
from tests.chaos.gateways import Gateways
from tests.chaos.history import History
from tests.chaos.load import Load, Plan

PATIENCE = 2.5
"""Seconds a client waits at a gateway before it asks another one with the same key: less than the gateway's
own deadline, so that a command is often at two gateways at once."""
LONGEST_SILENCE = 20.0
"""Seconds; far above what is usual, to find what hangs and not what is slow."""
VISITORS = 50
"""Clients that read every entity."""
LIVELY_SECONDS = 15.0
"""When the last mishap is over, everything must answer everywhere within this time."""


class Trial:
    """``marks`` are the mishaps and when each began."""

    def __init__(self, cluster: Cluster, plan: Plan) -> None:
        self.cluster = cluster
        self.history = History()
        self.chronicle = Chronicle(cluster.folder / "chronicle", self.history)
        self.rng = random.Random(f"{plan.seed}/mishaps")
        self.marks: list[tuple[str, float]] = []
        self.load = Load(plan, self.history, self._gateways(PATIENCE))

    def _gateways(self, patience: float) -> Gateways:
        """All that clients know of: also those that are down."""
        cluster = self.cluster
        return Gateways(
            lambda: [node.url for node in cluster.nodes],
            self.history.now,
            patience,
            lambda port: cluster.place_of(port).socket(),
        )

    async def run(self, script: Callable[[], Awaitable[None]]) -> None:
        """Run the load while ``script`` lasts; then everything answers, and the nodes end in order."""
        await self.load.open()
        self.chronicle.tell(f"the load begins, seed {self.load.plan.seed}")
        async with asyncio.TaskGroup() as group:
            group.create_task(self.load.run())
            await script()
            self.chronicle.tell("the last mishap is over")
            await self._everything_answers()
            self.load.finish()
        self.marks.append(("", self.history.now()))
        assert await self.cluster.settled(LIVELY_SECONDS), "not every shard is open again"
        self.chronicle.tell("all workers answer and every shard is open; ending all nodes in order")
        await self.cluster.stop()

    async def suffer(self, mishap: Mishap) -> None:
        """One of them, from its beginning until all nodes say that they are ready again."""
        name = getattr(mishap, "__name__", "mishap").replace("_", " ")
        self.marks.append((name, self.history.now()))
        await mishap()
        assert await self.cluster.serves(LIVELY_SECONDS), f"after {name} not all nodes are ready"

    async def pause(self, least: float, most: float) -> None:
        """Let some time go by, drawn by lot."""
        await asyncio.sleep(self.rng.uniform(least, most))

    async def _everything_answers(self) -> None:
        """Every entity at every gateway, under load."""
        took = await self.reach(self.cluster.nodes, LIVELY_SECONDS)
        assert took < LIVELY_SECONDS, f"everything answers only after {took:.1f} s"

    async def reach(self, nodes: Sequence[Node], patience: float) -> float:
        """Read every entity at the gateways of these nodes: the seconds until all have answered.
        Raises GaveUp."""
        began = self.history.now()
        asked = [(node.url, space) for node in nodes for space in self.load.spaces]
        waiting = iter(asked)

        async def one_after_the_other(number: int) -> None:
            for url, space in waiting:
                at = Gateways(partial(list, [url]), self.history.now, 10.0)
                client = Client(f"visitor-{number}", self.history, at, session)
                await client.read(space, None, random.Random(number), patience=patience)

        async with self._gateways(PATIENCE).session() as session, asyncio.TaskGroup() as group:
            for number in range(VISITORS):
                group.create_task(one_after_the_other(number))
        took = self.history.now() - began
        names = ", ".join(node.name for node in nodes)
        self.chronicle.tell(f"every entity was read at {names}, which took {took:.2f} s")
        return took

    async def judge(self, tell: Tell) -> None:
        """Find no fault and no endless silence; say what was seen."""
        history, plan = self.history, self.load.plan
        rows = await self.cluster.stored()
        evidence = Evidence(history.operations, rows, history.origin)
        faults = await asyncio.to_thread(check, evidence)
        told = self.cluster.folder / "faults"
        told.write_text("\n\n".join(describe(fault) for fault in faults))
        assert not faults, f"seed {plan.seed}, all in {told}: {report(evidence, faults)}"
        found = figures(history, episodes(self.marks[:-1], self.marks[-1][1]))
        tell(summary(plan.seed, history, len(rows), found))
        silence = max(each.silence for each in found)
        assert silence < LONGEST_SILENCE, f"nobody was served for {silence:.1f} s"


def summary(seed: int, history: History, events: int, found: Sequence[Figures]) -> str:
    """The run in a few lines."""
    unanswered = sum(operation.answer is None for operation in history.operations)
    replayed = sum(o.answer is not None and o.answer.replayed for o in history.operations)
    refused = sum(o.answer is not None and o.answer.status >= 500 for o in history.operations)
    lines = [
        f"seed {seed}: {len(history)} requests, {unanswered} unanswered, {refused} refused for now,"
        f" {replayed} replayed, {events} events, {len(found)} mishaps, no fault"
    ]
    lines += [
        f"  {each.name:22} nobody served for {each.silence:5.2f} s, longest wait {each.wait:5.2f} s"
        for each in found
    ]
    return "\n".join(lines)
