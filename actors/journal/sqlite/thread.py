"""A thread that does jobs for an asyncio loop, and whose death is noticed."""

import asyncio
import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from actors.journal.port import JournalUnavailable

_log = logging.getLogger(__name__)

_JOBS_AT_ONCE = 64


class Job:
    """One call: ``run`` makes the result, unless the thread's ``work`` takes jobs of its kind together."""

    __slots__ = ("error", "future", "result", "run")

    def __init__(self, run: Callable[[], Any]) -> None:
        self.run = run
        self.result: Any = None
        self.error: BaseException | None = None
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def do(self) -> None:
        """Run it and keep what came of it; a failing job is no fault of the thread."""
        try:
            self.result = self.run()
        except Exception as error:  # noqa: BLE001 - every error belongs to the one who waits for this job
            self.error = error


class JobThread:
    """Takes jobs in order, as many at once as are there (at most 64), and hands their results back by one
    call into the loop.

    ``work`` does the jobs it is given. ``rest`` is called while no job waits; it returns the seconds until
    it wants to be called again, None for not before the next job. ``finish`` runs last, on the thread."""

    def __init__(
        self,
        name: str,
        work: Callable[[list[Job]], None],
        *,
        limit: int,
        at_once: int = _JOBS_AT_ONCE,
        rest: Callable[[], float | None] = lambda: None,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._work = work
        self._rest = rest
        self._finish = finish
        self._limit = limit
        self._at_once = at_once
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._pending: set[Job] = set()
        self._dead: str | None = None
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Jobs that were not answered yet."""
        return len(self._pending)

    @property
    def dead(self) -> str:
        """Why the thread takes no more jobs; empty while it does."""
        return self._dead or ""

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """Queue a job. Raises ``JournalUnavailable`` when the thread has ended or its queue is full."""
        if self._dead is not None:
            raise JournalUnavailable(self._dead)
        if len(self._pending) >= self._limit:
            raise JournalUnavailable(f"{self.name}: {self._limit} calls are waiting already")
        self._pending.add(job)
        self._queue.put(job)
        return job.future

    async def close(self) -> None:
        """Do what is queued, then end."""
        if self._dead is None:
            self._dead = "the journal is closed"
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _main(self) -> None:
        reason = "the journal is closed"
        try:
            self._serve()
        except BaseException as error:  # noqa: BLE001 - whatever ended the thread, those who wait must hear of it
            _log.exception("%s ended unexpectedly", self.name)
            reason = f"{self.name} ended unexpectedly: {error}"
        finally:
            try:
                self._finish()
            finally:
                self._tell(self._ended, reason)

    def _serve(self) -> None:
        wait: float | None = 0.0
        while True:
            try:
                job = self._queue.get_nowait() if wait == 0.0 else self._queue.get(timeout=wait)
            except Empty:
                wait = self._rest()
                continue
            jobs: list[Job] = []
            while job is not None:
                jobs.append(job)
                if len(jobs) == self._at_once:
                    break
                try:
                    job = self._queue.get_nowait()
                except Empty:
                    break
            if jobs:
                self._work(jobs)
                self._tell(self._deliver, jobs)
            if job is None:
                return
            wait = 0.0

    def _tell(self, call: Callable[[Any], None], argument: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, argument)
        except RuntimeError:
            _log.debug("%s: the loop is closed, nobody waits any more", self.name)

    def _deliver(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._pending.discard(job)
            if job.future.done():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)

    def _ended(self, reason: str) -> None:
        self._dead = self._dead or reason
        for job in self._pending:
            if not job.future.done():
                job.future.set_exception(JournalUnavailable(reason))
        self._pending.clear()
