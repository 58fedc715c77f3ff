"""Whose turn it is to write, among the processes of a node: locks of the kernel, so that it queues those who
wait and frees what a dead process held.

SQLite's own waiting sleeps between tries: with four writers one of them got fifty times the commits of
another, and single commits took seconds.
"""

import ctypes
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from actors.journal.port import JournalUnavailable

# PyDLL keeps the interpreter lock during the call. These calls cannot block, and letting the lock go may
# cost a commit five milliseconds beside a busy loop, while the other processes wait for this one to be over.
_flock = ctypes.PyDLL(None).flock
_flock.argtypes = (ctypes.c_int, ctypes.c_int)
_flock.restype = ctypes.c_int


_POLL_SECONDS = 0.002


class FileLock:
    """A lock on a file of its own. Two of them exclude each other also within one process."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalUnavailable(f"cannot open the journal's lock {path}: {error.strerror}") from error

    def try_take(self) -> bool:
        """Take it if it is free; whether it was."""
        taken: int = _flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return taken == 0

    def take(self) -> None:
        """Wait until it is free, for as long as that takes."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            raise JournalUnavailable(f"cannot lock the journal: {error.strerror}") from error

    def free(self) -> None:
        """Let the next one have it."""
        _flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Free it and let go of the file."""
        os.close(self._file)


class Turn:
    """Held by the process that writes. Two locks make it fair: only the holder of the first waits for the
    second, so whoever has just written cannot take it again before those who wait."""

    def __init__(self, path: Path) -> None:
        self._queue = FileLock(path.with_name(path.name + "-queue"))
        try:
            self._writing = FileLock(path.with_name(path.name + "-writer"))
        except BaseException:
            self._queue.close()
            raise

    def try_take(self) -> bool:
        """Take the turn if nobody has it or waits for it."""
        if not self._queue.try_take():
            return False
        try:
            return self._writing.try_take()
        finally:
            self._queue.free()

    def take(self) -> None:
        """Wait for the turn. There is no deadline here, see ``thread.Job.begin``."""
        if not self._queue.try_take():
            self._queue.take()
        try:
            if not self._writing.try_take():
                self._writing.take()
        finally:
            self._queue.free()

    def take_within(self, seconds: float) -> None:
        """Poll for the turn, for what is not worth a place in the queue. Raises ``JournalUnavailable``."""
        until = time.monotonic() + seconds
        while not self.try_take():
            if time.monotonic() >= until:
                raise JournalUnavailable(f"other processes kept writing to the journal for {seconds:g} s")
            time.sleep(_POLL_SECONDS)

    def free(self) -> None:
        """Let the next process write."""
        self._writing.free()

    def __enter__(self) -> "Turn":
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.free()

    def close(self) -> None:
        """Let go of the files."""
        self._writing.close()
        self._queue.close()
