"""What the kernel knows of a process: its CPU time, its memory, its children."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class ProcessGone(Exception):
    """The process has ended."""


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessGone(f"process {pid} has ended") from error


def parse_cpu(stat: str) -> float:
    """CPU seconds, user and system, of all threads, from ``/proc/<pid>/stat``."""
    # The name, in parentheses, may hold spaces and parentheses itself.
    fields = stat[stat.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_seconds(pid: int) -> float:
    """CPU seconds used so far; raises ProcessGone."""
    return parse_cpu(_read(pid, "stat"))


def parse_machine(stat: str) -> float:
    """CPU seconds of everything, from the first line of ``/proc/stat``: all but idle and waiting for disks,
    stolen time included."""
    user, nice, system, _idle, _waiting, *rest = map(int, stat.splitlines()[0].split()[1:9])
    return (user + nice + system + sum(rest)) / TICKS


def machine_cpu_seconds() -> float:
    """CPU seconds used so far on all cores by everyone."""
    return parse_machine(Path("/proc/stat").read_text())


def rss(pid: int) -> int:
    """Resident memory in bytes; raises ProcessGone."""
    return int(_read(pid, "statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def children(pid: int) -> list[int]:
    """The processes started by any thread of ``pid``; raises ProcessGone."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError as error:
        raise ProcessGone(f"process {pid} has ended") from error
    for thread in threads:
        found += map(int, _read(pid, f"task/{thread}/children").split())
    return found


def command_line(pid: int) -> str:
    """Its words, separated by spaces; raises ProcessGone."""
    return _read(pid, "cmdline").replace("\0", " ").strip()
