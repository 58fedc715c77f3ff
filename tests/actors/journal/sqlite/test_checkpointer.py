"""The write-ahead log begins anew while commits go on."""

import asyncio
from pathlib import Path

import pytest

from actors.journal.sqlite import SqliteJournal, checkpointer
from tests.actors.journal.conformance import SHARDS, row


def times_begun(path: Path) -> int:
    """The log's own counter of how often it began anew: bytes 12 to 16 of its header."""
    return int.from_bytes(path.with_name(path.name + "-wal").read_bytes()[12:16], "big")


async def test_a_log_that_has_grown_begins_anew_without_a_pause_of_the_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpointer, "BEGIN_PAGES", 10)
    monkeypatch.setattr(checkpointer, "RESTART_PAGES", 20)
    path = tmp_path / "booking.sqlite"
    journal = await SqliteJournal.open(path, SHARDS)
    try:
        [claim] = await journal.claim([1], "a")
        begun, seq = times_begun(path), 0
        async with asyncio.timeout(20):
            while times_begun(path) < begun + 2:
                seq += 1
                await journal.append([row(1, seq, "x", seq, data=bytes(4_000))], {1: claim.epoch})
        assert [one.seq for one in await journal.feed(1, 0, seq + 1)] == list(range(1, seq + 1))
    finally:
        await journal.close()
