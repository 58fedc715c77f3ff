"""The node: a foreground process that starts its host's workers, restarts those that die, and stops them.

It holds the data directory and the port for them, and no state, and it never listens, so that nothing but a
signal or an operator's request over the bus can harm it. While not all workers have been ready once, one
that refuses its configuration or dies ends the node at once: somebody is looking. Later each slot deals
with its own deaths (``slot.py``); too many of them end the node, loudly, for whoever supervises it. With
the embedded bus it runs the server too: started while the workers load, stopped after them.
"""

import asyncio
import contextlib
import itertools
import logging
import signal
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from actors import address
from actors.cancellation import first
from actors.control.node import NodeControl
from actors.identity import Assignment, Identity, new_life, node_id, slot_of, worker_id
from actors.journal.data_directory import DataDirectory
from actors.journal.port import DataDirectoryInUse
from actors.node_bus import NodeBus
from actors.reports import Ready
from actors.settings import Settings
from actors.shared_port import SharedPort
from actors.slot import SlotFailed, SlotState
from actors.slots import Slots
from actors.worker_process import WorkerProcess

log = logging.getLogger(__name__)

HURRY = 2.0
"""Seconds the workers get after the second request to stop."""
ENDED = 256
"""Workers that have ended which a new one is told of; of older ones no shard can be left."""
LOCK_PATIENCE = 2.0
"""Seconds to wait for the data directory: the workers of a node that was just killed may still be ending."""


class NodeFailed(Exception):
    """The node ends because its workers cannot be kept alive or did not stop well; one line."""


class Node:
    """Runs ``settings.workers`` workers of ``module``. ``announce`` is called once when all of them are
    ready, then each time another one is."""

    def __init__(
        self, settings: Settings, announce: Callable[[Ready], object], module: str = "gateway.worker"
    ) -> None:
        self._settings = settings
        self._announce = announce
        self._module = module
        self._asked = 0
        self._stop = asyncio.Event()
        self._starts = itertools.count(1)
        self._life = new_life()
        self._id = ""
        self._lock = -1
        self._port: SharedPort | None = None
        self._slots: Slots | None = None
        self._bus: NodeBus | None = None
        self._control: NodeControl | None = None
        self._ended: deque[str] = deque(maxlen=ENDED)

    async def run(self) -> None:
        """Serve until a signal asks to stop. Raises WorkerRefused, NodeFailed, ServerFailed,
        PortUnavailable, JournalError (the data directory) and OSError (no process can be started)."""
        self._hear_signals()
        async with contextlib.AsyncExitStack() as parts:
            data = parts.enter_context(await self._hold_data())
            self._lock = data.descriptor
            self._id = node_id(data.path)
            if "gateway" in self._settings.node.roles:
                self._port = port = parts.enter_context(
                    SharedPort(address.parse(self._settings.gateway.bind))
                )
                gateway = msgspec.structs.replace(self._settings.gateway, bind=str(port.address))
                self._settings = msgspec.structs.replace(self._settings, gateway=gateway)
            bus = self._bus = NodeBus(self._settings, self._lock)
            parts.push_async_callback(bus.stop)
            slots = self._slots = Slots(
                self._settings, self._launch, self._announce_ready, self._give_up_sockets
            )
            self._control = NodeControl(self._settings, self._id, bus, slots)
            parts.push_async_callback(self._control.stop)
            parts.push_async_callback(slots.kill)
            await self._serve(bus, slots)

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # "nohup" makes a process ignore SIGHUP, and means it.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._ask_to_stop)

    def _ask_to_stop(self) -> None:
        """The first request is orderly; the second hurries the workers; the third ends them."""
        self._asked += 1
        self._stop.set()
        if self._slots is None or self._asked == 1:
            return
        self._slots.signal(signal.SIGTERM if self._asked == 2 else signal.SIGKILL)
        asyncio.get_running_loop().call_later(HURRY, self._slots.signal, signal.SIGKILL)

    async def _hold_data(self) -> DataDirectory:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + LOCK_PATIENCE
        while True:
            try:
                return DataDirectory(Path(self._settings.data))
            except DataDirectoryInUse:
                if loop.time() >= give_up or self._stop.is_set():
                    raise
            await asyncio.sleep(0.02)

    async def _serve(self, bus: NodeBus, slots: Slots) -> None:
        """Until asked to stop, or until something is lost for good."""
        # The processes load their modules while the server starts.
        slots.scale(self._settings.workers)
        try:
            await self._unless_stopped(bus.start(), slots.failure())
            await self._unless_stopped(bus.failure(), slots.failure())
            if bus.started.is_set():
                await slots.stop()
        except SlotFailed as failure:
            if slots.serving:
                # The others have done nothing wrong: what they took they may finish.
                with contextlib.suppress(SlotFailed):
                    await slots.stop()
            raise NodeFailed(str(failure)) from failure

    async def _unless_stopped(self, *waits: Coroutine[Any, Any, object]) -> None:
        """Wait for the first of these, or for a request to stop; what it raises is raised."""
        for done in await first(self._stop.wait(), *waits):
            done.result()

    async def _launch(self, slot: int) -> WorkerProcess:
        """Start a process, and assign it when the bus is there."""
        assert self._bus is not None
        assert self._slots is not None
        worker = worker_id(self._id, slot, self._life, next(self._starts))
        sockets = self._port.sockets(slot) if self._port is not None else ()
        listening = tuple(each.fileno() for each in sockets)
        process = await WorkerProcess.start(worker, self._module, self._lock, self._tell_death, listening)
        log.info("worker started", extra={"fields": {"slot": slot, "worker": worker, "pid": process.pid}})
        try:
            await self._bus.started.wait()
            identity = Identity(
                cluster=self._settings.cluster,
                node=self._id,
                worker=worker,
                slot=slot,
                bus=self._bus.urls,
                token=self._bus.token,
                listening=listening,
                company=0 if self._slots.serving else self._settings.workers,
                ended=tuple(self._ended),
            )
            await process.assign(Assignment(self._settings, identity))
        except BaseException:
            await process.kill()
            raise
        return process

    def _announce_ready(self, ready: Ready) -> None:
        assert self._control is not None
        # Only now: what the control plane needs takes a while to load, and nobody asks before.
        self._control.start()
        self._announce(ready)

    def _tell_death(self, worker: str) -> None:
        self._ended.append(worker)
        self._drop_sockets(slot_of(worker))
        if self._control is not None:
            self._control.tell_death(worker)

    def _give_up_sockets(self, slot: int) -> None:
        """Its worker takes what waits and ends the listening: held by us, it would go on, for nobody."""
        if self._port is not None:
            self._port.drop(slot)

    def _drop_sockets(self, number: int) -> None:
        """Its worker is dead. If others serve, new connections go to them; else they wait for its heir."""
        assert self._slots is not None
        slot = self._slots.slots.get(number)
        others = any(s.state is SlotState.SERVING for s in self._slots.slots.values() if s is not slot)
        if slot is not None and slot.state is SlotState.SERVING and others:
            self._give_up_sockets(number)
