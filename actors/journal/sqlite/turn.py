"""Whose turn it is to write, among the processes of a node: locks of the kernel, so that it queues those who
wait and frees what a dead process held.

SQLite's own waiting sleeps between tries: with four writers one of them got fifty times the commits of
another, and single commits took seconds.
"""

import ctypes
import fcntl
import mmap
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


_POLL_SECONDS = 0.001
_FRONT_SECONDS = 0.5
"""How long whoever is next in line may stay there before it is taken for stopped."""


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
    """Held by the process that writes. It only orders the processes: what they do to the file is protected
    by SQLite's own lock.

    Two locks make it fair: only the holder of the first, the next in line, waits for the second, so whoever
    has just written cannot have it again before. As long as nobody waits, which a byte of shared memory
    tells, the first lock is left alone. If whoever is next in line was killed, the byte stays set and the
    next writer clears it; if it was stopped, the others pass it by."""

    def __init__(self, path: Path) -> None:
        line = path.with_name(path.name + "-queue")
        self._front = FileLock(line)
        try:
            self._waiting = _shared_byte(line)
            self._writing = FileLock(path.with_name(path.name + "-writer"))
        except BaseException:
            self._front.close()
            raise
        self._patience = _FRONT_SECONDS
        self._passed_by = False

    @property
    def wanted(self) -> bool:
        """A process waits for its turn, or was killed while it did."""
        return self._waiting[0] != 0

    def try_take(self) -> bool:
        """Take the turn if nobody has it or waits for it."""
        if self._waiting[0] == 0:
            return self._writing.try_take()
        if not self._front.try_take():
            return False
        try:
            self._waiting[0] = 0
            return self._writing.try_take()
        finally:
            self._front.free()

    def take(self) -> None:
        """Wait for the turn. There is no deadline here, see ``thread.Job.begin``."""
        if self._waiting[0] == 0 and self._writing.try_take():
            return
        if not self._come_to_the_front():
            self._passed_by = True
            return
        try:
            self._waiting[0] = 1
            self._writing.take()
        finally:
            self._waiting[0] = 0
            self._front.free()

    def _come_to_the_front(self) -> bool:
        """False if whoever is there does not move. Polls, as the kernel's locks know no deadline; there is
        at least one commit to come before, so that nothing is lost by it."""
        if self._front.try_take():
            return True
        until = time.monotonic() + self._patience
        while time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            if self._front.try_take():
                self._patience = _FRONT_SECONDS
                return True
        self._patience = _POLL_SECONDS
        return False

    def take_within(self, seconds: float) -> None:
        """Poll for the turn, for what is not worth a place in the queue. Raises ``JournalUnavailable``."""
        until = time.monotonic() + seconds
        while not self.try_take():
            if time.monotonic() >= until:
                raise JournalUnavailable(f"other processes kept writing to the journal for {seconds:g} s")
            time.sleep(_POLL_SECONDS)

    def free(self) -> None:
        """Let the next process write."""
        if self._passed_by:
            self._passed_by = False
        else:
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
        self._waiting.close()
        self._writing.close()
        self._front.close()


def _shared_byte(path: Path) -> mmap.mmap:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.fstat(file).st_size == 0:
                # Written, not only made longer: on a full disk it fails here and not at the first access.
                os.pwrite(file, b"\0", 0)
            return mmap.mmap(file, 1)
        finally:
            os.close(file)
    except OSError as error:
        raise JournalUnavailable(f"cannot use the journal's lock {path}: {error.strerror}") from error
