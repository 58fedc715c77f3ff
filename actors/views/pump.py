"""The pump: folds for all projectors of a context on this worker, in one transaction after the other.

While one is under way, everything that is committed goes into the next: so a busy view costs one transaction
for many commands, and a quiet one is folded at once. Live generations go first; what is being built takes a
bounded share of each transaction, so that it neither stands still nor holds up what answers.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable

from actors.cancellation import end
from actors.journal.port import Journal, JournalError
from actors.settings import ViewSettings
from actors.views.port import ViewsError, ViewStore, Work
from actors.views.projector import Projector

logger = logging.getLogger(__name__)

READERS = 4
"""Pages that are read from the journal at once; as many may wait to be folded."""
AGAIN = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between attempts to reach a store that fails; the last repeats until it is back."""


class Tally:
    """What became of one view's events since the worker started."""

    __slots__ = ("failures", "folded")

    def __init__(self) -> None:
        self.folded = 0
        """Counted once per generation."""
        self.failures = 0
        """Attempts that failed."""


class Pump:
    """From ``start`` to ``close``."""

    def __init__(
        self, name: str, store: ViewStore, journal: Journal, settings: ViewSettings, moved: Callable[[], None]
    ) -> None:
        """``moved`` is called when positions have changed."""
        self.settings = settings
        self.trouble = ""
        """Why nothing can be folded at present; empty when it can."""
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)
        """By view."""
        self._name = name
        self._store = store
        self._journal = journal
        self._moved = moved
        self._ready: dict[Projector, None] = {}
        self._wanting: deque[Projector] = deque()
        self._work = asyncio.Event()
        self._hunger = asyncio.Event()
        self._room = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to fold."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._fold(), name=f"views of {self._name}")]
        for number in range(READERS):
            self._tasks.append(loop.create_task(self._read(), name=f"view reader {number} of {self._name}"))

    @property
    def tasks(self) -> "list[asyncio.Task[None]]":
        """What must not end; its owner watches it."""
        return self._tasks

    async def close(self) -> None:
        """Fold no more; what is under way ends or is given up."""
        await end(*self._tasks)

    # What projectors call --------------------------------------------------------------------------------

    def ready(self, projector: Projector) -> None:
        """It has something to fold."""
        self._ready[projector] = None
        self._work.set()

    def wants_page(self, projector: Projector) -> None:
        """It has missed something."""
        projector.reading = True
        if projector.live:
            self._wanting.appendleft(projector)
        else:
            self._wanting.append(projector)
        self._hunger.set()

    # Folding ---------------------------------------------------------------------------------------------

    async def _fold(self) -> None:
        attempt = 0
        while True:
            taken = self._take()
            if not taken:
                self._work.clear()
                await self._work.wait()
                continue
            works = [work for _, work in taken]
            try:
                done = await self._store.project(works)
            except ViewsError as error:
                self._cannot(error)
                for projector, _ in taken:
                    projector.undone()
                await asyncio.sleep(AGAIN[min(attempt, len(AGAIN) - 1)])
                attempt += 1
                self._room.set()
                continue
            attempt, self.trouble = 0, ""
            for (projector, work), one in zip(taken, done, strict=True):
                tally = self.tallies[projector.view]
                tally.folded += max(0, one.seq - work.after) if not one.moved else 0
                tally.failures += one.failure is not None
                projector.done(work, one)
            self._room.set()
            self._moved()

    def _take(self) -> list[tuple[Projector, Work]]:
        """What goes into the next transaction: at most ``batch`` rows of live generations, and as many of
        those that are being built."""
        left = {True: self.settings.batch, False: self.settings.batch}
        taken: list[tuple[Projector, Work]] = []
        for projector in list(self._ready):
            room = left[projector.live]
            if room <= 0:
                continue
            del self._ready[projector]
            work = projector.take(room)
            if work is None:
                continue
            left[projector.live] -= max(1, len(work.rows))
            taken.append((projector, work))
            # Asks for the next page while this one is folded; what it has left waits for the next time.
            projector.look()
        return taken

    def _cannot(self, error: Exception) -> None:
        if not self.trouble:
            fields = {"context": self._name, "error": str(error)}
            logger.warning("views cannot be folded", extra={"fields": fields})
        self.trouble = f"views cannot be folded: {error}"

    # Reading ---------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            if not self._wanting:
                self._hunger.clear()
                await self._hunger.wait()
                continue
            if sum(projector.waiting_rows for projector in self._ready) >= 2 * READERS * self.settings.page:
                self._room.clear()
                await self._room.wait()
                continue
            projector = self._wanting.popleft()
            after = projector.tip
            try:
                rows = await self._journal.feed(projector.shard, after, self.settings.page)
            except JournalError as error:
                self._cannot(error)
                await asyncio.sleep(AGAIN[-1])
                self._wanting.append(projector)
                continue
            projector.page(rows, after)
