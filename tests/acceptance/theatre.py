"""Real servers that play the stagehand and booking, and what is done to their files from outside."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.gateway.running import Running, running

ROOT = Path(__file__).parents[2]
CONTEXTS = "contexts=[tests.acceptance.stagehand, contexts.venue, contexts.booking]"

SPACE = {"capacity": 16, "time_zone": "Asia/Tokyo", "opens": "00:00", "closes": "24:00"}


def reservation(number: int, **changed: Any) -> dict[str, Any]:
    """A reservation that overlaps no other number's."""
    day, hour = divmod(number, 12)
    month, day = divmod(day, 28)
    date = f"{2027 + month // 12}-{month % 12 + 1:02}-{day + 1:02}"
    return {
        "reservation": f"r{number}",
        "guest": "ada",
        "guests": 4,
        "start": f"{date}T{2 * hour:02}:00:00+09:00",
        "end": f"{date}T{2 * hour + 1:02}:00:00+09:00",
        **changed,
    }


@contextmanager
def playing(folder: Path, *settings: str) -> Iterator[Running]:
    """A node with the stagehand, venue and booking, its data in ``folder``."""
    arguments = [part for setting in (CONTEXTS, *settings) for part in ("--set", setting)]
    with running(folder, *arguments, PYTHONPATH=str(ROOT)) as node:
        yield node


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    """Ask until it is true."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


# The journal's file, as another program sees it


def journal_of(folder: Path, context: str) -> Path:
    """Where a node that ran in ``folder`` keeps a context's journal."""
    return folder / "data" / f"{context}.sqlite"


def ask_file(file: Path, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run a statement on a SQLite file and keep what it did."""
    with closing(sqlite3.connect(file, timeout=10)) as connection, connection:
        return connection.execute(statement, parameters).fetchall()


class Locker:
    """A process that holds a journal's write lock."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def release(self) -> None:
        """Let go of the lock."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(10) == 0


_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""

_LOCK_AGAIN_AND_AGAIN = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
for turn in range(int(sys.argv[2])):
    connection.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    time.sleep(float(sys.argv[3]))
    connection.execute("ROLLBACK")
    time.sleep(0.01)
"""


@contextmanager
def locked(file: Path) -> Iterator[Locker]:
    """Another process has the write lock until it is released, at the block's end at the latest."""
    with _process(_LOCK, str(file)) as process:
        yield Locker(process)


@contextmanager
def locked_again_and_again(file: Path, times: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Another process takes the write lock for ``seconds``, so many times, with short gaps."""
    with _process(_LOCK_AGAIN_AND_AGAIN, str(file), str(times), str(seconds)) as process:
        yield process


@contextmanager
def _process(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "locked\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
