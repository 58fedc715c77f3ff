"""What a reader must know of the machine, and nothing that tells which one it is."""

import importlib.metadata
import os
import platform
import statistics
import time
from pathlib import Path

import msgspec

MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs", "devtmpfs"})
LIBRARIES = ("butai", "aiohttp", "apsw", "msgspec", "thespian", "uvloop")
_SYNCS = 50


class Machine(msgspec.Struct, frozen=True):
    """Facts that figures depend on."""

    cores: int
    system: str
    python: str
    libraries: dict[str, str]
    file_system: str
    """Type of the one that holds the journal."""
    sync_micros: float
    """Median time to write 4 KiB there and have them on the disk."""

    @property
    def on_disk(self) -> bool:
        """Whether the journal can survive a power cut at all."""
        return self.file_system not in MEMORY_FILE_SYSTEMS

    def __str__(self) -> str:
        libraries = ", ".join(f"{name} {version}" for name, version in self.libraries.items())
        disk = "a real disk" if self.on_disk else "MEMORY, NOT A DISK: commands are not durable here"
        return (
            f"{self.cores} cores, {self.system}, Python {self.python}\n{libraries}\n"
            f"journal on {self.file_system} ({disk}), synchronous=FULL, one sync {self.sync_micros:,.0f} us"
        )


def facts(folder: Path) -> Machine:
    """The facts for a journal in ``folder``."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        libraries={name: importlib.metadata.version(name) for name in LIBRARIES},
        file_system=file_system(folder, Path("/proc/self/mountinfo").read_text()),
        sync_micros=_sync_micros(folder),
    )


def file_system(folder: Path, mountinfo: str) -> str:
    """The type of the file system that holds ``folder``, by the text of ``/proc/self/mountinfo``."""
    at = folder.resolve()
    found, longest = "unknown", -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        mount = Path(before.split()[4].replace("\\040", " "))
        # Of two at the same place, the later one covers the other.
        if at.is_relative_to(mount) and len(mount.parts) >= longest:
            found, longest = after.split()[0], len(mount.parts)
    return found


def _sync_micros(folder: Path) -> float:
    path = folder / "sync"
    times: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1e6)
    path.unlink()
    return statistics.median(times)
