"""Indexing and checkpoints: done by one process of the node at a time, for everybody.

Which one is decided by a lock of the kernel. When that process dies another has the lock within a second. A
process that is stopped keeps it: then those whose memory fills up with events that nobody indexes help
themselves, which costs work done twice and nothing else.
"""

import logging
import time
from pathlib import Path

from actors.journal.port import Corrupted, JournalError
from actors.journal.sqlite.checkpointer import Checkpointer, finish
from actors.journal.sqlite.indexer import Indexer
from actors.journal.sqlite.store import Store
from actors.journal.sqlite.turn import FileLock

_log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Between two reads of how far the others are."""
HELP_LATENESS = 2
"""Indexing is so late that whoever does it seems to be stopped."""
_QUIET_SECONDS = 1.0
"""Without an event, before upkeep that can wait is done."""
_RETRY_SECONDS = 1.0
"""After a failed index step."""
_BUSY_SECONDS = 0.002
"""Until a step is tried again that would have made others wait."""


class Upkeep:
    """One process's part in it; made and used on the writer's thread."""

    def __init__(self, path: Path, store: Store, window: int) -> None:
        self._store = store
        self._heads = store.heads
        self._indexer = Indexer(store, window)
        self._lock = FileLock(path.with_name(path.name + "-upkeep"))
        self._mine = False
        self._look_at = 0.0
        self._seen, self._seen_at = -1, time.monotonic()
        self._checkpointer = Checkpointer(path, f"{path.stem} checkpointer")

    @property
    def mine(self) -> bool:
        """This process does it."""
        return self._mine

    @property
    def corruption(self) -> Corrupted | None:
        """Why no more events may be appended, if an index found out."""
        return self._indexer.corruption

    def before_append(self) -> None:
        """Make appends wait for steps if indexing is so late that memory would grow without end."""
        for _ in range(self._indexer.lateness if self._acting else 0):
            self._step_at_any_rate()

    def after_append(self) -> None:
        """Something was committed."""
        if time.monotonic() >= self._look_at:
            self._look()
        if self._acting:
            self._checkpointer.written()

    def rest(self) -> float:
        """One small piece; seconds until the next."""
        if self._heads.tail.free_some():
            return 0.0
        now = time.monotonic()
        if now >= self._look_at and not self._look():
            return _RETRY_SECONDS
        if not self._acting:
            return max(self._look_at - now, 0.0)
        if self._checkpointer.wanted:
            with self._store.turn:
                finish(self._store.connection)
            self._checkpointer.wanted = False
        late = self._indexer.lateness
        if late:
            return 0.0 if all(self._step_at_any_rate() for _ in range(late)) else _RETRY_SECONDS
        if self._indexer.due(quiet=now - self._seen_at >= _QUIET_SECONDS):
            return self._step_if_free()
        return max(self._look_at - now, 0.0)

    @property
    def _acting(self) -> bool:
        return self._mine or self._indexer.lateness >= HELP_LATENESS

    def _look(self) -> bool:
        """See how far the others are, and whether this is to be done here; False if it cannot be seen."""
        self._look_at = time.monotonic() + LOOK_SECONDS
        if not self._mine and self.corruption is None and self._lock.try_take():
            self._mine = True
        try:
            self._store.progress()
        except JournalError as error:
            _log.warning("the journal's progress cannot be read: %s", error)
            return False
        if self._heads.last != self._seen:
            self._seen, self._seen_at = self._heads.last, time.monotonic()
            if self._acting:
                self._checkpointer.written()
        return True

    def _step_if_free(self) -> float:
        """A step, unless others would have to wait for it; seconds until the next."""
        if self._indexer.gathering:
            return 0.0 if self._step() else _RETRY_SECONDS
        if not self._store.turn.try_take():
            return _BUSY_SECONDS
        try:
            return 0.0 if self._step() else _RETRY_SECONDS
        finally:
            self._store.turn.free()

    def _step_at_any_rate(self) -> bool:
        if self._indexer.gathering:
            return self._step()
        with self._store.turn:
            return self._step()

    def _step(self) -> bool:
        try:
            self._indexer.step()
        except Corrupted:
            _log.critical("the journal is corrupted and takes no more events", exc_info=True)
            # So that another process looks, and finds it too.
            self._lock.free()
            self._mine = False
            return False
        except JournalError as error:
            _log.warning("indexing waits: %s", error)
            return False
        self._checkpointer.written()
        return True

    def close(self) -> None:
        """End the checkpointer, leave the upkeep to others."""
        self._checkpointer.close()
        self._lock.close()
