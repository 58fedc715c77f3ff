"""The folder of everything embedded, held by one node at a time."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from actors.journal.host_beat import HostBeat
from actors.journal.mounts import remote_file_system
from actors.journal.port import DataDirectoryInUse, JournalUnavailable

_LOCK = "lock"
_HOST = "host"


class DataDirectory:
    """Made if need be, and held by this object's process until ``close`` or its end, however it ends, and by
    the children that inherited ``descriptor`` until theirs.

    The lock is the kernel's (flock), so nothing stale can be left behind; against another host there is
    ``host_beat``, which may take some seconds. Raises ``DataDirectoryInUse`` when another process or host
    holds it, ``JournalUnavailable`` when it cannot be made or written, or is on a network file system."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalUnavailable(f"cannot use the data directory {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            by = f" by process {holder}" if holder.isdigit() else ""
            raise DataDirectoryInUse(f"the data directory {path} is in use{by}") from error
        try:
            self._beat = self._mark()
        except BaseException:
            os.close(self._file)
            raise

    def _mark(self) -> HostBeat:
        kind = remote_file_system(self.path)
        if kind is not None:
            raise JournalUnavailable(
                f"the data directory {self.path} is on a network file system ({kind}): "
                "use a local disk, or a journal in PostgreSQL"
            )
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
            return HostBeat(self.path / _HOST)
        except OSError as error:
            raise JournalUnavailable(
                f"cannot use the data directory {self.path}: {error.strerror}"
            ) from error

    @property
    def taken_by(self) -> str:
        """The other host that has taken the directory in spite of all; empty while none has."""
        return self._beat.taken_by

    @property
    def descriptor(self) -> int:
        """The lock's file descriptor: a child that inherits it holds the directory too, until it ends."""
        return self._file

    def close(self) -> None:
        """Let another process have it. May be called again."""
        if self._file >= 0:
            self._beat.close()
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> "DataDirectory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
