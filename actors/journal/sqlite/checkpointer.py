"""Moving the write-ahead log into the file, beside the commits.

SQLite's own checkpoint runs inside the commit that reaches a limit: a commit that waits for thousands of
page writes. Here a thread with its own connection copies pages while commits go on; only the last few,
after which the log can begin anew, are left to the writer's next pause.
"""

import logging
import threading
from pathlib import Path

import apsw

from actors.journal.sqlite.connection import connect

_log = logging.getLogger(__name__)

BEGIN_PAGES = 1_000
"""Pages in the log that are worth a checkpoint."""
RESTART_PAGES = 4_000
"""Pages in the log from which the writer is asked to let it begin anew."""
_PAUSE_SECONDS = 0.25


class Checkpointer:
    """A daemon thread; ``wanted`` is set when the writer should finish a checkpoint. Only the process that
    does the upkeep tells it of writes."""

    def __init__(self, path: Path, name: str, restart: int = RESTART_PAGES) -> None:
        """``restart``: pages in the log from which ``wanted`` is set."""
        self.wanted = False
        self._restart = restart
        self._dirty = threading.Event()
        self._stop = threading.Event()
        self._connection = connect(path, lock_seconds=0.0)
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """False once the thread has ended."""
        return self._thread.is_alive()

    def written(self) -> None:
        """Something was committed."""
        if not self._dirty.is_set():
            self._dirty.set()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._dirty.set()
        self._thread.join()
        self._connection.close()

    def _main(self) -> None:
        while not self._stop.is_set():
            self._dirty.wait()
            self._dirty.clear()
            try:
                self._checkpoint()
            except apsw.BusyError:
                # Another process changed the log's index at that moment; the next try is soon.
                self._dirty.set()
            except apsw.Error as error:
                # The log only grows until the next try; commits report a full or failing disk themselves.
                _log.warning("checkpoint failed: %s", error)
            self._stop.wait(_PAUSE_SECONDS)

    def _checkpoint(self) -> None:
        if self.wanted:
            return
        pages, moved = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        if pages - moved >= BEGIN_PAGES:
            pages, moved = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if pages >= self._restart:
            self.wanted = True


def finish(connection: apsw.Connection) -> None:
    """Move what is left, so that the next commit begins the log anew. Nothing if a reader is in the way.

    To be called in this process's turn, so that nobody appends meanwhile."""
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.Error as error:
        _log.warning("checkpoint failed: %s", error)
