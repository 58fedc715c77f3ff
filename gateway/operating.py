"""What an operator's commands do: ask, then look until it has happened, with a deadline."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from rich.console import Console

from actors.control.access import operators_access
from actors.control.messages import Drain, Release, Restart, Scale
from actors.control.operator import Operator, Survey
from actors.control.pins import Pins, lasting_place
from actors.fabric.connection import connect
from actors.settings import Settings

CONNECT_SECONDS = 3.0
"""How long a connection, and the first answer of every node, may take."""
PERIOD = 0.1
"""Seconds between two looks."""


class NotDone(Exception):
    """What was asked has not happened, or cannot; one line."""


class Cluster:
    """A cluster that was reached. ``say`` shows how far something is.

    All methods raise Refused, NotDone, Unreachable and TimeoutError."""

    def __init__(self, operator: Operator, pins: Pins, name: str, say: Callable[[str], object]) -> None:
        self.operator = operator
        self._pins = pins
        self.name = name
        self.say = say

    async def survey(self) -> Survey:
        """What there is; somebody must have answered, and the nodes of all workers that did, if they can: one
        that has just started hears its operators a moment after its clients."""
        end = time.monotonic() + CONNECT_SECONDS
        while True:
            found = await self.operator.survey()
            if found.nodes and {node.node for node in found.nodes} >= {each.node for each in found.workers}:
                return found
            if time.monotonic() >= end:
                break
            await asyncio.sleep(PERIOD)
        if not found.nodes and not found.workers:
            raise NotDone(f"nobody answers in the cluster {self.name}")
        return found

    async def status(self) -> tuple[Survey, list[tuple[str, int, str]]]:
        """What there is, and the pins."""
        return await self.survey(), self._pins.all()

    async def scale(self, count: int, node: str | None, *, timeout: float) -> list[str]:  # noqa: ASYNC109
        """Have ``count`` workers, on one node or spread over all; the workers that then serve."""
        found = await self.survey()
        # One that is named is asked, whether it was seen or not: without workers it may be late.
        nodes = [node] if node is not None else [facts.node for facts in found.nodes]
        if count < len(nodes):
            raise NotDone(
                f"{count} workers cannot be spread over {len(nodes)} nodes: state --node, or stop a node"
            )
        trouble = {facts.node: facts.trouble for facts in found.nodes}
        share, more = divmod(count, len(nodes))
        for place, each in enumerate(nodes):
            await self.operator.ask_node(each, Scale(workers=share + (place < more)))

        def done(now: Survey) -> bool:
            for facts in now.nodes:
                if facts.trouble and facts.trouble != trouble.get(facts.node):
                    raise NotDone(f"node {facts.node}: {facts.trouble}")
            return {*nodes} <= {facts.node for facts in now.nodes} and now.settled()

        return _workers(await self._until(done, timeout, f"{count} workers"))

    async def drain(self, worker: str, *, timeout: float) -> None:  # noqa: ASYNC109
        """Let a worker leave, and wait until it is gone and its shards are served elsewhere."""
        found = await self.survey()
        node = next((n.node for n in found.nodes if any(s.worker == worker for s in n.slots)), None)
        if node is None:
            raise NotDone(f"there is no worker {worker} in the cluster {self.name}")
        await self.operator.ask_node(node, Drain(worker=worker))

        def done(now: Survey) -> bool:
            return worker not in _workers(now) and (not _workers(now) or now.settled())

        await self._until(done, timeout, f"{worker} to leave", alone=True)

    async def rolling_restart(self, *, timeout: float) -> list[str]:  # noqa: ASYNC109
        """Replace each worker; the ids of the new ones."""
        found = await self.survey()
        slots = [(node.node, slot) for node in found.nodes for slot in node.slots]
        replaced: list[str] = []
        for number, (node, slot) in enumerate(slots, 1):
            await self.operator.ask_node(node, Restart(slot=slot.slot))
            successor = _Successor(node, slot.slot, slot.worker)
            what = f"the successor of {slot.worker} ({number} of {len(slots)})"
            await self._until(successor.serves, timeout, what)
            replaced.append(successor.worker)
        return replaced

    async def pin(self, context: str, shard: int, place: str) -> str:
        """Pin a shard of a context that is there, to a place that is; the place as it is kept."""
        found = await self.survey()
        self._check(found, context, shard)
        nodes = {node.node for node in found.nodes}
        places = nodes | {f"{node.node}-{slot.slot}" for node in found.nodes for slot in node.slots}
        kept = lasting_place(place)
        if kept not in places or (kept != place and place not in _workers(found)):
            raise NotDone(f"there is no worker and no node {place} in the cluster {self.name}")
        await self._pins.pin(context, shard, kept)
        return kept

    async def unpin(self, context: str, shard: int) -> None:
        """Take a pin away."""
        if not await self._pins.unpin(context, shard):
            raise NotDone(f"{context}/{shard} is not pinned")

    async def release(self, context: str, aggregate: str, id: str) -> str:
        """Let a quarantined entity try again; the worker it lives on."""
        found = await self.survey()
        for worker in found.workers:
            for facts in worker.contexts:
                listed = any((q.aggregate, q.id) == (aggregate, id) for q in facts.quarantined)
                if facts.context == context and (listed or facts.quarantines > len(facts.quarantined)):
                    ask = Release(context=context, aggregate=aggregate, id=id)
                    await self.operator.ask_worker(worker.worker, ask)
                    return worker.worker
        if context not in found.sizes():
            raise NotDone(f"there is no context {context} in the cluster {self.name}")
        raise NotDone(f"{context}/{aggregate}/{id} is not quarantined")

    def _check(self, found: Survey, context: str, shard: int) -> None:
        size = found.sizes().get(context)
        if size is None:
            raise NotDone(f"there is no context {context} in the cluster {self.name}")
        if shard >= size:
            raise NotDone(f"{context} has the shards 0 to {size - 1}, not {shard}")

    async def _until(
        self,
        done: Callable[[Survey], bool],
        timeout: float,  # noqa: ASYNC109 - the operator's
        what: str,
        alone: bool = False,
    ) -> Survey:
        """Look until it is ``done``; ``alone``: nobody may be left to answer but the nodes."""
        end = time.monotonic() + timeout
        while True:
            found = await self.operator.survey()
            if (found.nodes or not alone) and done(found):
                return found
            missing = found.not_open()
            self.say(f"waiting for {what}" + (f", {len(missing)} shards are on their way" if missing else ""))
            if time.monotonic() >= end:
                raise NotDone(f"waited {timeout:g} s for {what}: {_why_not(found)}")
            await asyncio.sleep(PERIOD)


class _Successor:
    """What is to serve in a slot in place of ``former``."""

    def __init__(self, node: str, slot: int, former: str) -> None:
        self.worker = ""
        self._node = node
        self._slot = slot
        self._former = former

    def serves(self, now: Survey) -> bool:
        """Whether it does, and every shard is served; raises NotDone when the former one went on instead."""
        for slot in (s for n in now.nodes if n.node == self._node for s in n.slots if s.slot == self._slot):
            self.worker = slot.worker
            if slot.state == "serving" and slot.worker == self._former:
                raise NotDone(f"{self._former} was not replaced: {slot.last_words}")
        return now.settled()


def _workers(found: Survey) -> list[str]:
    return [slot.worker for node in found.nodes for slot in node.slots if slot.worker]


def _why_not(found: Survey) -> str:
    missing = found.not_open()
    states = [f"slot {s.slot} of {n.node} is {s.state}" for n in found.nodes for s in n.slots]
    reasons = [
        *(f"{worker} is silent" for worker in found.silent[:3]),
        *[state for state in states if not state.endswith("serving")][:3],
        *([f"{len(missing)} shards are not served, such as {missing[0]}"] if missing else []),
    ]
    return "; ".join(reasons) or "the workers are not ready"


@contextlib.asynccontextmanager
async def cluster(settings: Settings, progress: bool) -> AsyncIterator[Cluster]:
    """A connection to the cluster of the settings. Raises NoAccess, Unreachable or TimeoutError."""
    connection = await connect(operators_access(settings), "operator", CONNECT_SECONDS)
    pins = Pins(connection, settings.cluster)
    console = Console(stderr=True)
    try:
        await pins.open()
        with console.status("asking the cluster") if progress else contextlib.nullcontext() as shown:
            say = shown.update if shown is not None else lambda _: None
            yield Cluster(Operator(connection, settings.cluster), pins, settings.cluster, say)
    finally:
        await pins.close()
        await connection.close()
