"""The node: a foreground process that starts its host's worker, restarts it when it dies, and stops it.

It holds no state and opens no port, so that nothing but a signal can harm it. While no worker has ever been
ready, one that refuses its configuration or dies ends the node at once: somebody is looking. Later a death is
answered by another start after a growing pause, and so is a refusal of what has worked before: a port or a
disk may be free again soon. Too many of them end the node, loudly, for whoever supervises it.
"""

import asyncio
import logging
import signal
from collections.abc import Callable

import msgspec

from actors import restarts
from actors.reports import Ready
from actors.settings import Settings
from actors.worker_process import WorkerProcess, WorkerRefused, describe

log = logging.getLogger(__name__)

HURRY = 2.0
"""Seconds a worker gets after the second request to stop."""


class NodeFailed(Exception):
    """The node ends because its worker cannot be kept alive or did not stop well; one line."""


class Node:
    """Runs one worker of ``module``; ``announce`` is called each time it is ready."""

    def __init__(
        self, settings: Settings, announce: Callable[[Ready], object], module: str = "gateway.worker"
    ) -> None:
        self._settings = settings
        self._announce = announce
        self._module = module
        self._asked = 0
        self._served = False
        self._stop = asyncio.Event()
        self._worker: WorkerProcess | None = None

    async def run(self) -> None:
        """Serve until a signal asks to stop; raises WorkerRefused or NodeFailed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # "nohup" makes a process ignore SIGHUP, and means it.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._ask_to_stop)
        deaths: list[float] = []
        while not self._stop.is_set():
            try:
                reason = await self._run_worker()
            except WorkerRefused as refusal:
                if not self._served:
                    raise
                reason = str(refusal)
            if self._stop.is_set():
                return
            if not self._served:
                raise NodeFailed(f"the worker could not start: {reason}")
            deaths.append(loop.time())
            pause = restarts.delay(deaths, self._settings.node)
            if pause is None:
                raise NodeFailed(f"gave up: the worker died {len(deaths)} times, the last time of: {reason}")
            log.error("worker died", extra={"fields": {"reason": reason, "restart_in": pause}})
            await self._wait_unless_stopped(pause)

    def _ask_to_stop(self) -> None:
        """The first request is orderly; the second hurries the worker; the third ends it."""
        self._asked += 1
        self._stop.set()
        worker = self._worker
        if worker is None or self._asked == 1:
            return
        worker.signal(signal.SIGTERM if self._asked == 2 else signal.SIGKILL)
        asyncio.get_running_loop().call_later(HURRY, worker.signal, signal.SIGKILL)

    async def _run_worker(self) -> str:
        """One worker's life; the reason of its death in one line."""
        worker = self._worker = await WorkerProcess.start(self._settings, self._module)
        log.info("worker started", extra={"fields": {"pid": worker.pid}})
        life = asyncio.create_task(self._live(worker))
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({life, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not self._stop.is_set():
                return life.result()
            await self._stop_worker(worker)
            return "stopped"
        finally:
            self._worker = None
            stopped.cancel()
            life.cancel()
            await asyncio.gather(life, stopped, return_exceptions=True)
            await worker.kill()

    async def _live(self, worker: WorkerProcess) -> str:
        limit = self._settings.node.start_seconds
        try:
            ready = await asyncio.wait_for(worker.ready(), limit)
        except TimeoutError:
            return f"not ready within {limit:g} s"
        if ready is not None:
            # The next worker must be found where this one was, also if the port was any free one.
            gateway = msgspec.structs.replace(self._settings.gateway, bind=ready.address)
            self._settings = msgspec.structs.replace(self._settings, gateway=gateway)
            self._served = True
            self._announce(ready)
        return await worker.ended()

    async def _stop_worker(self, worker: WorkerProcess) -> None:
        grace = self._settings.gateway.grace
        log.info("stopping", extra={"fields": {"pid": worker.pid, "grace": grace}})
        status = await worker.stop(grace)
        if status is None:
            raise NodeFailed(f"the worker did not stop within {grace:g} s and was killed")
        # Before a worker handles SIGTERM it has served nobody, and the signal simply ends it.
        if status not in (0, -signal.SIGTERM):
            raise NodeFailed(f"the worker did not stop well: {describe(status)}")

    async def _wait_unless_stopped(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
