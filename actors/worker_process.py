"""A worker as its node sees it: a process that is started, heard and ended."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import msgspec

from actors import reports
from actors.identity import Assignment

log = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between two looks at whether a worker has shown a sign of life."""
LAST_WORDS = 1.0
"""Seconds to wait for the end of the reports of a process that has ended."""


class WorkerRefused(Exception):
    """The worker cannot start as configured; the message is one line."""


class WorkerProcess:
    """One process of ``python -m <module> <node's pid> <report descriptor> <lock descriptor>``.

    It is exec'd, not forked from a loop, and leads its own process group, so that Ctrl-C in a terminal
    reaches the node alone and the node decides how the worker stops. It loads its modules while the node
    finds out the rest, then reads its ``Assignment`` from stdin. It inherits the lock of the data directory,
    which is free when the node and all its workers are gone."""

    def __init__(
        self,
        worker: str,
        process: asyncio.subprocess.Process,
        lines: asyncio.StreamReader,
        exited: Callable[[str], None],
    ) -> None:
        self.worker = worker
        self.started = self.heard = time.monotonic()
        self._process = process
        self._lines = lines
        self._exited = exited
        self._ready: asyncio.Future[reports.Ready] = asyncio.get_running_loop().create_future()
        self._pulses = False
        self._refusal: str | None = None
        self._failure: str | None = None
        self._hearing = asyncio.create_task(self._hear())
        self._life = asyncio.create_task(self._follow())

    @classmethod
    async def start(
        cls, worker: str, module: str, lock: int, exited: Callable[[str], None], inherited: Sequence[int] = ()
    ) -> Self:
        """Start the process of the worker with this id; ``exited`` is called with it at once when the
        process has ended. It inherits the descriptors too. Raises OSError if there can be no process."""
        listening, reporting = os.pipe()
        try:
            # -P: the current folder must not come before the installed packages.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", module, str(os.getpid()), str(reporting), str(lock)),
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(reporting, lock, *inherited),
                process_group=0,
            )
        except BaseException:
            os.close(listening)
            raise
        finally:
            os.close(reporting)
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(listening, "rb", buffering=0)
        )
        return cls(worker, process, lines, exited)

    async def assign(self, assignment: Assignment) -> None:
        """Tell it what it is to do; once."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(assignment) + b"\n")
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.drain()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether it has not ended, or not everything it said was heard yet."""
        return not self._life.done()

    @property
    def served(self) -> reports.Ready | None:
        """Its word that it serves, once it has given it."""
        return self._ready.result() if self._ready.done() else None

    async def ready(self) -> reports.Ready | None:
        """The worker's word that it serves, or None if it ends first."""
        either: tuple[asyncio.Future[Any], ...] = (self._ready, self._life)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return self.served

    async def ended(self) -> str:
        """Wait for the process to end; the reason in one line. Raises WorkerRefused."""
        status = await asyncio.shield(self._life)
        if self._refusal is not None:
            raise WorkerRefused(self._refusal)
        return self._failure or describe(status)

    async def _follow(self) -> int:
        status = await self._process.wait()
        self._exited(self.worker)
        # A process that the worker left behind may hold the pipe open: its end is not to be waited for.
        await asyncio.wait({self._hearing}, timeout=LAST_WORDS)
        self._hearing.cancel()
        return status

    async def _hear(self) -> None:
        while line := await self._lines.readline():
            try:
                report = reports.receive(line)
            except ValueError:
                log.warning("the worker's report makes no sense", extra={"fields": {"pid": self.pid}})
                continue
            self.heard = time.monotonic()
            match report:
                case reports.Ready() as ready if not self._ready.done():
                    self._ready.set_result(ready)
                case reports.Pulse():
                    self._pulses = True
                case reports.Refusal(message):
                    self._refusal = message
                case reports.Failure(message):
                    self._failure = message

    async def hangs(self, seconds: float) -> None:
        """Return when it has shown signs of life, and none for so long. Counted in looks of our own: a node
        that was stopped itself must not think that its workers were."""
        silent = 0.0
        while silent < seconds:
            heard = self.heard
            await asyncio.sleep(LOOK)
            silent = silent + LOOK if self._pulses and self.heard == heard else 0.0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self, grace: float) -> int | None:
        """Ask it to stop and wait ``grace`` seconds: its exit status, or None if it had to be killed."""
        self.signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(asyncio.shield(self._life), grace)
        except TimeoutError:
            await self.kill()
            return None

    async def kill(self) -> None:
        """End it at once, if it lives; return when it is gone and everything it said was heard."""
        if self._process.returncode is None:
            self.signal(signal.SIGKILL)
        await self._life


def describe(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
