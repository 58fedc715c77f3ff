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
_CLOSE_SECONDS = 30.0
"""What is queued may take so long at the end, beyond the wait for a lock."""


class Job:
    """One call: ``run`` makes the result, unless the thread's ``work`` takes jobs of its kind together."""

    __slots__ = ("_undecided", "begun", "error", "future", "result", "run", "since")

    def __init__(self, run: Callable[[], Any]) -> None:
        self.run = run
        self.begun = False
        self.since = 0.0
        self._undecided = [self]
        self.result: Any = None
        self.error: BaseException | None = None
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def do(self) -> None:
        """Run it and keep what came of it; a failing job is no fault of the thread."""
        try:
            self.result = self.run()
        except Exception as error:  # noqa: BLE001 - every error belongs to the one who waits for this job
            self.error = error

    def begin(self) -> None:
        """For the thread: from here on it cannot be withdrawn. Raises ``JournalUnavailable`` if it was."""
        if not self.begun and not self._decide():
            raise JournalUnavailable("nobody waits for this write any more")
        self.begun = True

    def withdraw(self) -> bool:
        """For the loop: the thread will not do what comes after ``begin``. False if it is too late."""
        return self._decide()

    @property
    def withdrawn(self) -> bool:
        """It need not be done."""
        return not self._undecided and not self.begun

    def _decide(self) -> bool:
        try:
            self._undecided.pop()
        except IndexError:
            return False
        return True


class JobThread:
    """Takes jobs in order, as many at once as are there (at most 64), and hands their results back by one
    call into the loop.

    ``work`` does the jobs it is given. ``rest`` is called while no job waits; it returns the seconds until
    it wants to be called again, None for not before the next job. ``finish`` runs last, on the thread.

    ``serves`` is what it is called in errors. With ``patience``, a job that has not begun so many seconds
    after it was queued fails: its thread may wait for a lock that a stopped process holds."""

    def __init__(
        self,
        name: str,
        work: Callable[[list[Job]], None],
        *,
        limit: int,
        at_once: int = _JOBS_AT_ONCE,
        patience: float | None = None,
        serves: str = "the journal",
        rest: Callable[[], float | None] = lambda: None,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._work = work
        self._rest = rest
        self._finish = finish
        self._limit = limit
        self._at_once = at_once
        self._patience = patience
        self._serves = serves
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._pending: dict[Job, None] = {}
        self._watch: asyncio.TimerHandle | None = None
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
        self._pending[job] = None
        if self._patience is not None:
            job.since = self._loop.time()
            if self._watch is None:
                self._watch = self._loop.call_later(self._patience, self._lose_patience, self._patience)
        self._queue.put(job)
        return job.future

    async def close(self) -> None:
        """Do what is queued, then end. A thread that still waits for a lock then ends with its process."""
        if self._dead is None:
            self._dead = f"{self._serves} is closed"
            self._queue.put(None)
        limit = None if self._patience is None else self._patience + _CLOSE_SECONDS
        await asyncio.to_thread(self._thread.join, limit)
        if self._thread.is_alive():
            _log.error("%s still waits for a lock and is left behind", self.name)

    def _lose_patience(self, patience: float) -> None:
        """One timer for all jobs, as one for each costs more than a tenth of a small commit."""
        self._watch = None
        now = self._loop.time()
        for job in self._pending:
            if job.since + patience > now:
                self._watch = self._loop.call_at(job.since + patience, self._lose_patience, patience)
                return
            # It stays pending until the thread has passed over it: it still takes up the queue.
            if job.withdraw() and not job.future.done():
                waited = f"{self.name}: another process holds {self._serves}'s lock, {patience:g} s waited"
                job.future.set_exception(JournalUnavailable(waited))

    def _main(self) -> None:
        reason = f"{self._serves} is closed"
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
            self._pending.pop(job, None)
            if job.future.done():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)

    def _ended(self, reason: str) -> None:
        self._dead = self._dead or reason
        if self._watch is not None:
            self._watch.cancel()
        for job in self._pending:
            if not job.future.done():
                job.future.set_exception(JournalUnavailable(reason))
        self._pending.clear()
