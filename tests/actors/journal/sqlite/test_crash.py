"""Whatever moment the process is killed at, what it acknowledged is there, once and without gaps."""

import asyncio
import subprocess
import sys
from pathlib import Path

from actors.journal.port import Row
from actors.journal.sqlite import SqliteJournal
from tests.actors.journal.conformance import SHARDS, row, seen

ENTITIES = 5
"""Per shard."""

APPENDING = """
import asyncio, sys
from pathlib import Path
from actors.journal.sqlite import SqliteJournal
from tests.actors.journal.sqlite.test_crash import append_for_ever

asyncio.run(append_for_ever(Path(sys.argv[1])))
"""


def event(shard: int, seq: int) -> Row:
    """Entities take turns in a shard."""
    return row(shard, seq, f"e{shard}/{seq % ENTITIES}", (seq - 1) // ENTITIES + 1)


async def append_for_ever(path: Path) -> None:
    """Several appends at once, each to its own shard; prints ``shard seq`` of what is acknowledged."""
    journal = await SqliteJournal.open(path, SHARDS, window=50)

    async def one(shard: int) -> None:
        [claim] = await journal.claim([shard], "a")
        seq = claim.last_seq
        while True:
            rows = [event(shard, seq + n) for n in range(1, 2 + shard)]
            await journal.append(rows, {shard: claim.epoch})
            seq = rows[-1].seq
            sys.stdout.write(f"{shard} {seq}\n")
            sys.stdout.flush()

    await asyncio.gather(*(one(shard) for shard in range(SHARDS)))


def killed_while_appending(path: Path, lines: int) -> dict[int, int]:
    """The last sequence per shard that was acknowledged before SIGKILL."""
    process = subprocess.Popen(
        [sys.executable, "-c", APPENDING, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    acknowledged: dict[int, int] = {}
    try:
        for count, line in enumerate(process.stdout):
            if count == lines:
                process.kill()
            if line.endswith("\n"):
                shard, seq = map(int, line.split())
                acknowledged[shard] = seq
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()
    return acknowledged


async def check(path: Path, acknowledged: dict[int, int]) -> None:
    journal = await SqliteJournal.open(path)
    try:
        for shard in range(SHARDS):
            rows = await journal.feed(shard, 0, 100_000)
            assert rows == [event(shard, seq) for seq in range(1, len(rows) + 1)]
            assert len(rows) >= acknowledged.get(shard, 0)
            for entity in range(ENTITIES):
                id = f"e{shard}/{entity}"
                assert await journal.replay("space", id, seen) == (
                    None,
                    [one for one in rows if one.id == id],
                )
    finally:
        await journal.close()


def test_every_acknowledged_event_survives_kill_after_kill(tmp_path: Path) -> None:
    path = tmp_path / "booking.sqlite"
    for lines in (150, 1, 400, 77):
        acknowledged = killed_while_appending(path, lines)
        assert sum(acknowledged.values()) >= lines
        asyncio.run(check(path, acknowledged))
