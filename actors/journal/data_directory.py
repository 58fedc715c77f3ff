"""The folder of everything embedded, held by one process at a time."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from actors.journal.port import DataDirectoryInUse, JournalUnavailable

_LOCK = "lock"


class DataDirectory:
    """Made if need be, and held by this object's process until ``close`` or its end, however it ends.

    The lock is the kernel's (flock), so nothing stale can be left behind. Raises ``DataDirectoryInUse``
    when another process holds it, ``JournalUnavailable`` when it cannot be made or written."""

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
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let another process have it. May be called again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> "DataDirectory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
