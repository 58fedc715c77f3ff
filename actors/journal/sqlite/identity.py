"""What tells a journal's file from any other."""

import os
import socket
from pathlib import Path

from actors.journal.host_beat import boot_id
from actors.journal.port import JournalUnavailable


def identity_of(path: Path) -> str:
    """The same for all processes that have this file open, whatever they call it and its host: containers of
    one machine have names of their own and share the files, the boot id and the locks.

    Raises ``JournalUnavailable`` if the file is not there."""
    try:
        file = os.stat(path)
    except OSError as error:
        raise JournalUnavailable(f"cannot open the journal {path}: {error.strerror}") from error
    return f"sqlite:{boot_id() or socket.gethostname()}:{file.st_dev:x}:{file.st_ino:x}"
