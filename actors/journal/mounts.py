"""Which file systems a data directory may be on."""

import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")

REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "coda", "ncpfs", "fuse.sshfs"})
"""Shared by hosts over a network: memory mapped by one is not seen by the other, and locks may be local."""


def remote_file_system(path: Path) -> str | None:
    """The kind of network file system that the existing ``path`` is on; None if it is on none, or if the
    operating system does not tell (it does on Linux)."""
    try:
        table = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    device = os.stat(path).st_dev
    kind = _kinds(table).get(f"{os.major(device)}:{os.minor(device)}")
    return kind if kind in REMOTE else None


def _kinds(table: str) -> dict[str, str]:
    """Kind of file system by ``major:minor`` of its device (proc_pid_mountinfo(5))."""
    found: dict[str, str] = {}
    for line in table.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if dash and len(fields) > 2:
            found[fields[2]] = after.split(" ", 1)[0]
    return found
