"""What befalls a cluster: each mishap does one thing, says so in the chronicle, and lets it end.

Nodes are borrowed, so that of two mishaps at once none meets the other's victim.
"""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.chaos.cluster.chronicle import Chronicle
from tests.chaos.cluster.cluster import Cluster, end
from tests.chaos.cluster.node import Node
from tests.chaos.cluster.place import Namespace
from tests.chaos.cluster.process import Held, Tree, eventually

Mishap = Callable[[], Awaitable[None]]

BACK_SECONDS = 40.0
"""How long something may take to serve again."""


class Mishaps:
    """``short``: servers and nodes are away for a moment only, but always longer than a lease."""

    def __init__(self, cluster: Cluster, chronicle: Chronicle, rng: random.Random, short: bool) -> None:
        self._cluster = cluster
        self._tell = chronicle.tell
        self._rng = rng
        self._stopped_seconds = 6.0 if short else 15.0
        self._away_seconds = 2.0 if short else 6.0
        self.victims: set[Node] = set()
        """Those that something happens to now."""
        self._joined = 0

    # Processes that die ----------------------------------------------------------------------------------

    async def worker_killed(self) -> None:
        """Its node starts another."""
        async with self._node() as node:
            pid, count = self._rng.choice(node.workers()), len(node.workers())
            held = Held(pid)
            held.signal(signal.SIGKILL)
            held.close()
            self._tell(f"killed worker {pid} of node {node.name}")
            back = await eventually(
                lambda: pid not in node.workers() and len(node.workers()) == count, BACK_SECONDS
            )
            assert back, f"node {node.name} did not start another worker for {pid}"

    async def node_killed(self) -> None:
        """With all its workers; somebody starts it again a while later."""
        async with self._node() as node:
            node.kill()
            self._tell(f"killed node {node.name} and its workers")
            await self._while(self._away_seconds)
            await node.start()
            self._tell(f"node {node.name} serves again")

    # Processes that hang ---------------------------------------------------------------------------------

    async def worker_stopped(self) -> None:
        """And goes on later, if its node has not ended it."""
        async with self._node() as node:
            pid = self._rng.choice(node.workers())
            held = Held(pid)
            held.signal(signal.SIGSTOP)
            self._tell(f"stopped worker {pid} of node {node.name} for {self._stopped_seconds:g} s")
            await asyncio.sleep(self._stopped_seconds)
            lives = held.signal(signal.SIGCONT)
            held.close()
            self._tell(f"worker {pid} of node {node.name} {'goes on' if lives else 'was ended meanwhile'}")

    async def node_stopped(self) -> None:
        """With all its workers, like a machine that sleeps."""
        async with self._node() as node:
            tree = Tree.frozen(node.running.pid)
            self._tell(f"stopped node {node.name} and its workers for {self._stopped_seconds:g} s")
            await asyncio.sleep(self._stopped_seconds)
            tree.signal(signal.SIGCONT)
            tree.close()
            self._tell(f"node {node.name} and its workers go on")

    # What operators do -----------------------------------------------------------------------------------

    async def worker_drained(self) -> None:
        """And another started in its place, by scaling."""
        async with self._node() as node:
            pid = self._rng.choice(node.workers())
            facts = await self._facts_of(node)
            worker = next(slot["worker"] for slot in facts["slots"] if slot["pid"] == pid)
            self._tell(f"draining worker {worker} (process {pid}) of node {node.name}")
            await self._cluster.operate("drain", worker)
            self._tell(f"worker {worker} has left")
            await self._scale(node, facts["node"], node.workers_wanted)

    async def scaled(self) -> None:
        """A worker more, then as before."""
        async with self._node() as node:
            facts = await self._facts_of(node)
            await self._scale(node, facts["node"], node.workers_wanted + 1)
            await self._while(2.0)
            await self._scale(node, facts["node"], node.workers_wanted)

    async def restarted(self) -> None:
        """All workers are replaced, one after the other."""
        self._tell("rolling restart")
        await self._cluster.operate("rolling-restart")
        self._tell("all workers were replaced")

    async def node_joins_and_leaves(self) -> None:
        """One more node comes, stays a while and is ended in order."""
        self._joined += 1
        guest = self._cluster.add(f"guest{self._joined}", 1)
        self.victims.add(guest)
        self._tell(f"node {guest.name} joins")
        await guest.start()
        self._tell(f"node {guest.name} serves")
        await self._while(3.0)
        await self._end(guest)
        self._cluster.nodes.remove(guest)

    async def node_ended(self) -> None:
        """In order, and started again."""
        async with self._node() as node:
            await self._end(node)
            await self._while(1.0)
            await node.start()
            self._tell(f"node {node.name} serves again")

    # What all depend on ----------------------------------------------------------------------------------

    async def nats_killed(self) -> None:
        """It comes back with its data."""
        self._cluster.nats.kill()
        self._tell("killed NATS")
        await self._while(self._away_seconds)
        await self._cluster.nats.start()
        self._tell("NATS is back")

    async def postgres_killed(self) -> None:
        """It recovers from its log."""
        how = self._rng.choice((signal.SIGKILL, signal.SIGQUIT))
        self._tell(f"killing PostgreSQL by {how.name}")
        await self._cluster.postgres.kill(how)
        await self._while(self._away_seconds)
        await self._cluster.postgres.start()
        self._tell("PostgreSQL is back")

    async def node_cut_off(self) -> None:
        """Clients still reach its gateway, but it reaches neither NATS nor PostgreSQL."""
        branches = self._cluster.branches
        assert branches is not None
        async with self._node() as node:
            assert isinstance(node.place, Namespace)
            branches.cut(node.place)
            self._tell(f"cut node {node.name} off for {self._stopped_seconds:g} s")
            await asyncio.sleep(self._stopped_seconds)
            branches.mend(node.place)
            self._tell(f"node {node.name} is connected again")

    # ------------------------------------------------------------------------------------------------------

    @property
    def sudden(self) -> list[Mishap]:
        """Those that may happen two at once; the network's only where it can be cut."""
        cut = [self.node_cut_off] if self._cluster.branches is not None else []
        return [
            self.worker_killed,
            self.worker_stopped,
            self.node_stopped,
            self.nats_killed,
            self.postgres_killed,
            *cut,
        ]

    @property
    def attended(self) -> list[Mishap]:
        """Those that are somebody's work, which needs the servers."""
        return [
            self.node_killed,
            self.worker_drained,
            self.scaled,
            self.restarted,
            self.node_joins_and_leaves,
            self.node_ended,
        ]

    @asynccontextmanager
    async def _node(self) -> AsyncIterator[Node]:
        free = [node for node in self._cluster.nodes if node.up and node not in self.victims]
        node = self._rng.choice(free)
        self.victims.add(node)
        try:
            yield node
        finally:
            self.victims.discard(node)

    async def _while(self, seconds: float) -> None:
        """Up to so long."""
        await asyncio.sleep(self._rng.uniform(0.0, seconds))

    async def _facts_of(self, node: Node) -> dict[str, Any]:
        status = await self._cluster.survey()
        facts: dict[str, Any]
        (facts,) = [each for each in status["nodes"] if each["pid"] == node.running.pid]
        return facts

    async def _scale(self, node: Node, id: object, count: int) -> None:
        self._tell(f"scaling node {node.name} to {count} workers")
        await self._cluster.operate("scale", str(count), "--node", str(id))
        self._tell(f"node {node.name} has {count} workers")

    async def _end(self, node: Node) -> None:
        self._tell(f"ending node {node.name} in order")
        status = await end(node)
        assert status == 0, f"node {node.name} ended with {status}, see {node.running.log}"
        self._tell(f"node {node.name} has ended")
