"""The slots of a node: as many workers as are wanted, each in a place of its own."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable

from actors.reports import Ready
from actors.settings import Settings
from actors.slot import Slot, SlotFailed
from actors.worker_process import WorkerProcess

log = logging.getLogger(__name__)

LIMIT = 256
"""Workers of one node at most."""


class NotPossible(Exception):
    """What an operator asked for cannot be done; one line."""


class Slots:
    """Supervises a node's slots on the running loop. ``launch`` starts a worker for a slot; ``announce`` is
    called once when all of the first ones serve, then each time another one does."""

    def __init__(
        self,
        settings: Settings,
        launch: Callable[[int], Awaitable[WorkerProcess]],
        announce: Callable[[Ready], object],
        leaving: Callable[[int], object],
    ) -> None:
        """``leaving`` is called with a slot's number before its worker begins to leave for good."""
        self.serving = False
        """All workers of the beginning were ready at the same time."""
        self.slots: dict[int, Slot] = {}
        self.trouble = ""
        """Why a slot was given up last; empty if none was."""
        self._settings = settings
        self._launch = launch
        self._announce = announce
        self._leaving = leaving
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def wanted(self) -> int:
        """Workers that are meant to stay."""
        return sum(not slot.leaving for slot in self.slots.values())

    def scale(self, count: int) -> None:
        """Have ``count`` workers: start more in the lowest free slots, or let the highest ones leave.
        Raises NotPossible."""
        if not 1 <= count <= LIMIT:
            raise NotPossible(f"a node has 1 to {LIMIT} workers, not {count}")
        staying = sorted(number for number, slot in self.slots.items() if not slot.leaving)
        for number in staying[count:]:
            self._leave(self.slots[number])
        missing = count - len(staying)
        free = (number for number in range(2 * LIMIT) if number not in self.slots)
        for number in [next(free) for _ in range(missing)]:
            self._begin(number)

    def drain(self, worker: str) -> None:
        """Let this worker leave. Raises NotPossible."""
        for slot in self.slots.values():
            if slot.process is not None and slot.process.worker == worker:
                if slot.leaving:
                    raise NotPossible(f"{worker} is leaving already")
                self._leave(slot)
                return
        raise NotPossible(f"there is no worker {worker} on this node")

    def replace(self, number: int) -> None:
        """Begin to replace a slot's worker without a gap; its facts tell how it went. Raises NotPossible."""
        slot = self.slots.get(number)
        if slot is None:
            raise NotPossible(f"there is no slot {number} on this node")
        try:
            slot.replace()
        except SlotFailed as failure:
            raise NotPossible(str(failure)) from failure

    async def failure(self) -> None:
        """Wait until the node cannot go on; raises WorkerRefused or SlotFailed."""
        await asyncio.shield(self._failure)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all workers."""
        for slot in self.slots.values():
            slot.signal(number)

    async def stop(self) -> None:
        """Let all workers leave at once, and wait for them. Raises SlotFailed if one did not stop well."""
        for slot in self.slots.values():
            self._leave(slot)
        ends = await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and not self._failure.done():
                raise end

    async def kill(self) -> None:
        """End all workers at once; return when they are gone."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._failure.done() and not self._failure.cancelled():
            # Told already, or nobody asked.
            self._failure.exception()

    def _leave(self, slot: Slot) -> None:
        self._leaving(slot.number)
        slot.leave()

    def _begin(self, number: int) -> None:
        slot = self.slots[number] = Slot(number, self._settings, self._launch, self._ready)
        task = self._tasks[number] = asyncio.get_running_loop().create_task(slot.run(), name=f"slot-{number}")
        task.add_done_callback(lambda done: self._ended(slot, done))

    def _ready(self, slot: Slot, process: WorkerProcess, ready: Ready) -> None:
        if self.serving:
            names = {"slot": slot.number, "worker": process.worker, "pid": process.pid}
            log.info("worker ready", extra={"fields": names})
            self._announce(ready)
        elif all(each.served for each in self.slots.values()):
            self.serving = True
            self._announce(ready)

    def _ended(self, slot: Slot, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is None or slot.leaving or (self.serving and not slot.served):
            # One that was to leave, or that was added and cannot start, takes nobody else with it.
            self.slots.pop(slot.number)
            self._tasks.pop(slot.number)
            if error is not None:
                self.trouble = f"slot {slot.number}: {error}"
                log.error("slot given up", extra={"fields": {"slot": slot.number, "reason": str(error)}})
        elif not self._failure.done():
            self._failure.set_exception(error)
