"""A process that claims, appends and replays at random beside others; what the tests of sharing start.

It prints a line per fact: ``ack SHARD SEQ TAG`` for an acknowledged row, ``fault TEXT`` for anything that
must not be, ``mine`` when it does the upkeep, ``ready`` when it has opened the file."""

import asyncio
import random
import sys
import threading
from pathlib import Path

from actors.journal.port import Claim, Row
from actors.journal.sqlite import SqliteJournal
from actors.settings import JournalSettings
from tests.actors.journal.conformance import SHARDS, row, seen

ENTITIES = 4
"""Per shard."""


def say(*words: object) -> None:
    """One write, so that a line is whole or, in a killed process, visibly cut off."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Contender:
    """Holds what it believes: the shards it has claimed, and their entities' versions."""

    def __init__(self, journal: SqliteJournal, number: int, claims: float) -> None:
        self._journal = journal
        self._number = number
        self._claim_share = claims
        self._random = random.Random(number)
        self._claims: dict[int, Claim] = {}
        self._sequences: dict[int, int] = {}
        self._versions: dict[str, int] = {}
        self._tags = 0

    async def run(self, shards: list[int]) -> None:
        """Claims ``shards``, then does something again and again until the process is ended."""
        await self._claim(shards)
        said = False
        while True:
            if self._random.random() < self._claim_share:
                await self._claim(self._random.sample(range(SHARDS), self._random.randint(1, 3)))
            if self._claims:
                await self._append()
                await self._replay(self._random.choice([*self._claims] or [0]))
            if not said and self._journal._writer.upkeep.mine:
                say("mine")
                said = True

    async def _claim(self, shards: list[int]) -> None:
        for claim in await self._journal.claim(shards, f"contender {self._number}"):
            shard = claim.shard
            self._claims[shard] = claim
            self._sequences[shard] = claim.last_seq
            for entity in range(ENTITIES):
                id = f"e{shard}/{entity}"
                _, rows = await self._journal.replay("space", id, seen)
                self._check(rows, id, claim)
                # Another may have claimed it by now and appended: then this claim is fenced anyway.
                self._versions[id] = sum(1 for one in rows if one.seq <= claim.last_seq)
            found = sum(self._versions[f"e{shard}/{entity}"] for entity in range(ENTITIES))
            if found != claim.last_seq:
                say("fault", shard, "has", claim.last_seq, "events, of which", found, "are replayed")

    def _check(self, rows: list[Row], id: str, claim: Claim) -> None:
        if [one.version for one in rows] != list(range(1, len(rows) + 1)):
            say("fault", id, "has versions", [one.version for one in rows])
        if any(one.shard != claim.shard or one.id != id for one in rows):
            say("fault", id, "has rows of another")

    async def _append(self) -> None:
        rows: list[Row] = []
        sequences, versions = dict(self._sequences), dict(self._versions)
        for _ in range(self._random.randint(1, 12)):
            shard = self._random.choice([*self._claims])
            sequences[shard] += 1
            id = f"e{shard}/{self._random.randrange(ENTITIES)}"
            versions[id] += 1
            self._tags += 1
            tag = f"{self._number:06d}{self._tags:010d}"
            rows.append(row(shard, sequences[shard], id, versions[id], command_id=tag.encode()))
        epochs = {one.shard: self._claims[one.shard].epoch for one in rows}
        fenced = await self._journal.append(rows, epochs)
        for one in rows:
            if one.shard not in fenced:
                self._sequences[one.shard], self._versions[one.id] = one.seq, one.version
                say("ack", one.shard, one.seq, one.command_id.decode())
        for shard in fenced:
            del self._claims[shard]

    async def _replay(self, shard: int) -> None:
        """While the epoch holds, what was acknowledged is all there is."""
        if shard not in self._claims:
            return
        id = f"e{shard}/{self._random.randrange(ENTITIES)}"
        _, rows = await self._journal.replay("space", id, seen)
        self._check(rows, id, self._claims[shard])
        if len(rows) < self._versions[id]:
            say("fault", id, "is replayed to", len(rows), "after", self._versions[id], "were acknowledged")


async def contend(path: Path, number: int, claims: float, shards: list[int]) -> None:
    """Opens the file and contends; ends with the standard input, so that nobody is left behind."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    journal = await SqliteJournal.open(path, SHARDS, JournalSettings(lock_seconds=20.0), window=64)
    say("ready")
    running = asyncio.create_task(Contender(journal, number, claims).run(shards))
    ended = asyncio.create_task(over.wait())
    await asyncio.wait((running, ended), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        say("fault", repr(running.exception()))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await journal.close()


if __name__ == "__main__":
    _, _path, _number, _claims, _shards = sys.argv
    asyncio.run(
        contend(Path(_path), int(_number), float(_claims), [int(one) for one in _shards.split(",") if one])
    )
