"""Which host has a data directory, for file systems whose locks end at the host.

The host's boot id is kept in the directory, beside a number that grows for as long as the directory is held.
Another host that finds both waits and sees: a number that grows is a living host, one that stands still
was left behind by a host that died, or came along with a directory that was moved or copied.
"""

import logging
import os
import socket
import threading
import time
from pathlib import Path

import msgspec

from actors.journal.port import DataDirectoryInUse

_log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
WATCH_SECONDS = 3.5
"""How long another host's number must stand still. Only waited for after an end that was not clean."""
_POLL_SECONDS = 0.05
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SIZE = 512


class Host(msgspec.Struct, frozen=True):
    """Who holds the directory. Stored: rename fields with care."""

    boot: str
    """Random, new at every boot of the machine; containers of one machine share it, and its locks."""
    name: str
    beat: int = 0
    held: bool = True


class HostBeat:
    """This host's mark in ``path``, kept alive by a thread until ``close``.

    Raises ``DataDirectoryInUse`` when another host's mark is alive, ``OSError`` when it cannot be written.
    Where the operating system has no boot id it does nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._host = Host(boot_id(), socket.gethostname())
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.taken_by = ""
        """The other host that has taken the directory although this one holds it; empty while none has."""
        if not self._host.boot:
            return
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._refuse_another()
            self._write()
        except BaseException:
            os.close(self._file)
            raise
        self._thread = threading.Thread(target=self._main, name="data directory beat", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End cleanly: another host may have the directory at once."""
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join()
        self._thread = None
        try:
            if not self.taken_by:
                self._host = msgspec.structs.replace(self._host, held=False)
                self._write()
        except OSError as error:
            _log.warning("cannot mark the data directory as free: %s", error)
        finally:
            os.close(self._file)

    def _refuse_another(self) -> None:
        found = self._read()
        if found is None or not found.held or found.boot == self._host.boot:
            return
        until = time.monotonic() + WATCH_SECONDS
        while time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            now = self._read()
            if now is not None and now != found and now.held:
                raise DataDirectoryInUse(
                    f"the data directory {self._path.parent} is in use by the host {now.name}"
                )

    def _main(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                found = self._read()
                if found is not None and found.boot != self._host.boot:
                    self.taken_by = found.name
                    _log.critical("the host %s has taken the data directory that is held here", found.name)
                    return
                self._host = msgspec.structs.replace(self._host, beat=self._host.beat + 1)
                self._write()
            except OSError as error:
                _log.warning("cannot write to the data directory: %s", error)

    def _read(self) -> Host | None:
        try:
            return msgspec.json.decode(os.pread(self._file, _SIZE, 0), type=Host)
        except msgspec.MsgspecError:
            return None

    def _write(self) -> None:
        # Of one length, so that it never takes space that a full disk does not have.
        os.pwrite(self._file, msgspec.json.encode(self._host).ljust(_SIZE), 0)


def boot_id() -> str:
    """What tells this host's present life from any other host's; empty where the system has none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
