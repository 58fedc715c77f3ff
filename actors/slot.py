"""A slot: one of a node's workers, kept alive. Its process is started, started again when it dies, replaced
while it serves, and told to leave.

A slot that has never served gives up at once: what was refused or died first would do so again. Later a
death is answered by another start after a growing pause, and so is a refusal of what has worked before: a
disk may be free again soon. Too many deaths in a while are the end of it.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from enum import StrEnum

from actors import restarts
from actors.cancellation import first
from actors.reports import Ready
from actors.settings import Settings
from actors.worker_process import WorkerProcess, WorkerRefused, describe

log = logging.getLogger(__name__)


class SlotFailed(Exception):
    """The slot's worker cannot be kept alive, replaced, or did not stop well; one line."""


class SlotState(StrEnum):
    """What a slot's worker does."""

    STARTING = "starting"
    SERVING = "serving"
    REPLACING = "replacing"
    """It serves until its successor is ready."""
    PAUSING = "pausing"
    """It died, and will be started again."""
    LEAVING = "leaving"


class Slot:
    """Supervises the worker in one place. ``launch`` starts a process that has its assignment;
    ``ready`` is called each time one serves."""

    def __init__(
        self,
        number: int,
        settings: Settings,
        launch: Callable[[int], Awaitable[WorkerProcess]],
        ready: Callable[["Slot", WorkerProcess, Ready], object],
    ) -> None:
        self.number = number
        self.state = SlotState.STARTING
        self.served = False
        self.deaths = 0
        self.last_words = ""
        """Why its worker died last; empty if none did."""
        self.process: WorkerProcess | None = None
        """The one that is to serve from now on."""
        self._former: WorkerProcess | None = None
        """One that was replaced and has not ended yet."""
        self._settings = settings
        self._launch = launch
        self._ready = ready
        self._leave = asyncio.Event()
        self._replace_it = asyncio.Event()

    @property
    def leaving(self) -> bool:
        """Whether it was told to leave."""
        return self._leave.is_set()

    def leave(self) -> None:
        """Stop the worker in order, and start no other."""
        self._leave.set()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker, if there is one."""
        for process in (self.process, self._former):
            if process is not None:
                process.signal(number)

    def replace(self) -> None:
        """Begin to start another worker, and stop this one once the other serves. When the other cannot
        start, ``last_words`` says why and nothing has changed. Raises SlotFailed if it does not serve."""
        if self.state is not SlotState.SERVING:
            raise SlotFailed(f"the worker in slot {self.number} is {self.state}")
        self.state = SlotState.REPLACING
        self._replace_it.set()

    async def run(self) -> None:
        """Keep a worker alive until ``leave``. Raises WorkerRefused and SlotFailed."""
        loop = asyncio.get_running_loop()
        deaths: list[float] = []
        while not self.leaving:
            try:
                reason = await self._live()
            except WorkerRefused as refusal:
                if not self.served:
                    raise
                reason = str(refusal)
            if self.leaving:
                return
            self.last_words = reason
            if not self.served:
                raise SlotFailed(f"the worker could not start: {reason}")
            self.deaths += 1
            deaths.append(loop.time())
            await self._pause(deaths, reason)

    async def _pause(self, deaths: list[float], reason: str) -> None:
        pause = restarts.delay(deaths, self._settings.node)
        if pause is None:
            raise SlotFailed(f"gave up: the worker died {len(deaths)} times, the last time of: {reason}")
        log.error(
            "worker died", extra={"fields": {"slot": self.number, "reason": reason, "restart_in": pause}}
        )
        self.state = SlotState.PAUSING
        await first(self._leave.wait(), seconds=pause)

    async def _live(self) -> str:
        """One worker's life, and those of its replacements; the reason of the death in one line."""
        self.state = SlotState.STARTING
        self._replace_it.clear()
        try:
            self.process = process = await self._launch(self.number)
            reason = await self._until_ready(process)
            self.state = SlotState.SERVING
            while reason is None:
                limit = self._settings.node.hang_seconds
                hung = asyncio.ensure_future(process.hangs(limit))
                await first(process.ended(), self._leave.wait(), self._replace_it.wait(), hung)
                if not process.lives:
                    return await process.ended()
                if hung.done() and not hung.cancelled():
                    await process.kill()
                    return f"it gave no sign of life for {limit:g} s and was killed"
                if self.leaving:
                    await self._stop(process)
                    return "stopped"
                process = await self._replace(process)
                self.state = SlotState.SERVING
            return reason
        finally:
            process_left, self.process = self.process, None
            if process_left is not None:
                await process_left.kill()

    async def _until_ready(self, process: WorkerProcess) -> str | None:
        """None when it serves or is to leave, else why it does not."""
        limit = self._settings.node.start_seconds
        await first(process.ready(), self._leave.wait(), seconds=limit)
        if process.served is not None:
            self.served = True
            self._ready(self, process, process.served)
            return None
        if self.leaving:
            return None
        return f"not ready within {limit:g} s" if process.lives else await process.ended()

    async def _replace(self, former: WorkerProcess) -> WorkerProcess:
        """The process that serves from now on: the former one, if it could not be replaced."""
        self._replace_it.clear()
        successor = await self._launch(self.number)
        try:
            reason = await self._until_ready(successor)
        except WorkerRefused as refusal:
            reason = str(refusal)
        except BaseException:
            await successor.kill()
            raise
        if successor.served is None:
            await successor.kill()
            if not self.leaving:
                self.last_words = f"the successor could not start: {reason}"
                log.error("worker not replaced", extra={"fields": {"slot": self.number, "reason": reason}})
            return former
        self.process, self._former = successor, former
        try:
            await self._stop(former)
        except SlotFailed as failure:
            self.last_words = str(failure)
            log.error("replaced worker", extra={"fields": {"slot": self.number, "reason": str(failure)}})
        finally:
            await former.kill()
            self._former = None
        return successor

    async def _stop(self, process: WorkerProcess) -> None:
        grace = self._settings.gateway.grace
        if self.leaving:
            self.state = SlotState.LEAVING
        log.info("stopping", extra={"fields": {"slot": self.number, "pid": process.pid, "grace": grace}})
        status = await process.stop(grace)
        if status is None:
            raise SlotFailed(f"the worker did not stop within {grace:g} s and was killed")
        # Before a worker handles SIGTERM it has served nobody, and the signal simply ends it.
        if status not in (0, -signal.SIGTERM):
            raise SlotFailed(f"the worker did not stop well: {describe(status)}")
