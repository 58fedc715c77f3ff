"""A node's side of the control plane: it tells of its workers' deaths at once, and does what operators ask.

It has a connection of its own, begun when the first workers serve and made anew for as long as the node
lives: a bus that is away must not keep a node from its work, only from hearing about it.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from actors.cancellation import end
from actors.control import subjects
from actors.control.facts import NodeFacts, SlotFacts
from actors.control.messages import Ask, Done, Drain, Failed, NodeStatus, Reply, Restart, Scale, Status
from actors.control.responder import Responder
from actors.settings import Settings
from actors.slot import Slot
from actors.slots import NotPossible, Slots

if TYPE_CHECKING:
    from actors.node_bus import NodeBus

log = logging.getLogger(__name__)

DEATHS = 1024
"""Deaths that are told at most; older ones are known by their silence."""
TOLD_SECONDS = 10.0
"""How long a death is told again, once a second: who is just being connected again must hear of it too."""
DeathNotice = Callable[[str, Sequence[str]], tuple[str, bytes]]
AGAIN = 1.0
"""Seconds between two attempts to connect."""


class NodeControl:
    """Announces deaths and answers requests from ``start`` to ``stop``."""

    def __init__(self, settings: Settings, node: str, bus: "NodeBus", slots: Slots) -> None:
        self._settings = settings
        self._node = node
        self._bus = bus
        self._slots = slots
        self._started = time.monotonic()
        self._version = version("butai")
        self._deaths: deque[tuple[float, str]] = deque(maxlen=DEATHS)
        """When each of them is told for the last time, and who it was."""
        self._untold = 0
        self._died = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect and serve in the background. May be called again."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="node-control")

    def tell_death(self, worker: str) -> None:
        """A worker has ended: tell the cluster as soon as possible."""
        self._deaths.append((time.monotonic() + TOLD_SECONDS, worker))
        self._untold += 1
        self._died.set()

    async def stop(self) -> None:
        """End; deaths that are still to be told get a moment."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN):
                while self._untold and not self._task.done():  # noqa: ASYNC110 - a publish, or the bus is away
                    await asyncio.sleep(0.005)
        await end(self._task)

    async def _run(self) -> None:
        # It takes a third of a second to load; on a thread, so that signals are heard meanwhile.
        fabric = await asyncio.to_thread(importlib.import_module, "actors.fabric.membership")
        while True:
            try:
                await self._serve(fabric.death_notice)
            except (OSError, TimeoutError) as error:
                log.warning("the control plane is away", extra={"fields": {"error": str(error)}})
            except Exception as error:
                log.exception("the control plane failed, and begins again", exc_info=error)
            await asyncio.sleep(AGAIN)

    async def _serve(self, death_notice: DeathNotice) -> None:
        """One connection's life, which ends only by a fault: it mends itself."""
        from actors.control.access import access
        from actors.fabric.connection import connect

        cluster = self._settings.cluster
        opening = access(self._settings, self._bus.urls, self._bus.token)
        connection = await connect(opening, f"node {self._node}")
        connection.on_change.append(lambda _: self._died.set())
        responder = Responder(
            connection, (subjects.node(cluster, self._node), subjects.everyone(cluster)), self._handle
        )
        try:
            await responder.start()
            while True:
                self._died.clear()
                while self._deaths and self._deaths[0][0] < time.monotonic() and not self._untold:
                    self._deaths.popleft()
                if self._deaths and connection.connected:
                    untold = self._untold
                    connection.publish(*death_notice(cluster, [worker for _, worker in self._deaths]))
                    await connection.settle()
                    self._untold -= untold
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._died.wait(), AGAIN if self._deaths else None)
        finally:
            await connection.close()

    # What operators ask ----------------------------------------------------------------------------------

    def _handle(self, ask: Ask) -> Reply:
        try:
            match ask:
                case Status():
                    return NodeStatus(self._facts())
                case Scale(workers=workers):
                    self._slots.scale(workers)
                case Drain(worker=worker):
                    self._slots.drain(worker)
                case Restart(slot=slot):
                    self._slots.replace(slot)
                case _:
                    return Failed("this is asked of a worker, not of a node")
        except NotPossible as error:
            return Failed(str(error))
        log.info("an operator asked", extra={"fields": {"for": repr(ask)}})
        return Done()

    def _facts(self) -> NodeFacts:
        return NodeFacts(
            node=self._node,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=self._version,
            uptime=round(time.monotonic() - self._started, 3),
            address=self._settings.gateway.bind if "gateway" in self._settings.node.roles else "",
            wanted=self._slots.wanted,
            slots=tuple(_slot_facts(slot) for _, slot in sorted(self._slots.slots.items())),
            trouble=self._slots.trouble,
        )


def _slot_facts(slot: Slot) -> SlotFacts:
    process = slot.process
    return SlotFacts(
        slot=slot.number,
        worker=process.worker if process is not None else "",
        pid=process.pid if process is not None else 0,
        state=str(slot.state),
        uptime=round(time.monotonic() - process.started, 3) if process is not None else 0.0,
        deaths=slot.deaths,
        last_words=slot.last_words,
    )
