"""What the writer's thread does: calls first, indexing and the end of checkpoints in its pauses."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from actors.journal.port import Claim, Corrupted, JournalError, Row, Snapshot
from actors.journal.sqlite.checkpointer import Checkpointer, finish
from actors.journal.sqlite.indexer import Indexer
from actors.journal.sqlite.store import Store
from actors.journal.sqlite.thread import Job

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
"""After a failed index step."""
_QUIET_SECONDS = 1.0
"""Without a call, before upkeep that can wait is done."""


class Writer:
    """The only one that writes to the file."""

    def __init__(self, path: Path, shards: int, lock_seconds: float, window: int) -> None:
        self.store = Store(path, shards, lock_seconds)
        self._indexer = Indexer(self.store, window)
        self._waited = False
        self._checkpointer = Checkpointer(path, f"{path.stem} checkpointer")

    def work(self, jobs: list[Job]) -> None:
        """Do the calls in order."""
        self._waited = False
        for job in jobs:
            job.do()

    def claim(self, shards: Sequence[int], owner: str) -> list[Claim]:
        """See ``port.Journal.claim``."""
        return self.store.claim(shards, owner)

    def append(
        self, rows: Sequence[Row], epochs: Mapping[int, int], snapshots: Sequence[Snapshot]
    ) -> frozenset[int]:
        """See ``port.Journal.append``."""
        if self._indexer.corruption is not None:
            raise Corrupted(str(self._indexer.corruption))
        if self._indexer.late:
            self._step()
        fenced = self.store.append(rows, epochs, snapshots)
        self._checkpointer.written()
        return fenced

    def rest(self) -> float | None:
        """One small piece of upkeep; seconds until the next, None if there is none."""
        if self._checkpointer.wanted:
            finish(self.store.connection)
            self._checkpointer.wanted = False
        if self._indexer.due(quiet=self._waited):
            return 0.0 if self._step() else _RETRY_SECONDS
        if self._indexer.waits_for_quiet:
            self._waited = True
            return _QUIET_SECONDS
        return None

    def _step(self) -> bool:
        try:
            self._indexer.step()
        except Corrupted:
            _log.critical("the journal is corrupted and takes no more events", exc_info=True)
            return False
        except JournalError as error:
            _log.warning("indexing waits: %s", error)
            return False
        self._checkpointer.written()
        return True

    def close(self) -> None:
        """End the checkpointer and let go of the file."""
        self._checkpointer.close()
        self.store.close()
