"""The journal in memory: the reference of what the port means, and a journal for tests with faults on order.

Everything happens on the loop, in the order of the calls; folds run inline. Like a real journal it never
answers in the loop turn of the call.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TypeVar

from actors.journal.port import (
    Claim,
    Corrupted,
    Fold,
    JournalError,
    JournalUnavailable,
    Row,
    Snapshot,
    Tenure,
)

T = TypeVar("T")


class MemoryJournal:
    """See ``port.Journal``. The other methods are for tests."""

    def __init__(self, shards: int = 64) -> None:
        self._shards = shards
        self._epochs: dict[int, int] = {}
        self._owners: dict[int, str] = {}
        self._feeds: dict[int, list[Row]] = {}
        self._entities: dict[tuple[str, str], list[Row]] = {}
        self._snapshots: dict[tuple[str, str], Snapshot] = {}
        self._append_faults: deque[tuple[JournalError, bool]] = deque()
        self._claim_faults: deque[JournalError] = deque()
        self._read_faults: deque[JournalError] = deque()
        self._gate = asyncio.Event()
        self._gate.set()
        self._closed = False
        self.held = 0
        """Appends waiting at the gate."""
        self.appends = 0
        """Appends begun, whatever became of them."""

    @property
    def shards(self) -> int:
        """See ``port.Journal.shards``."""
        return self._shards

    async def claim(
        self, shards: Sequence[int], owner: str, after: Mapping[int, int] | None = None
    ) -> list[Claim]:
        """See ``port.Journal.claim``."""
        await self._turn(self._claim_faults)
        if any(not 0 <= shard < self._shards for shard in shards):
            raise ValueError(f"shards are numbered 0 to {self._shards - 1}")
        if after is not None:
            shards = [shard for shard in shards if self._epochs.get(shard, 0) == after[shard]]
        return self.claim_elsewhere(*shards, owner=owner)

    async def tenures(self) -> list[Tenure]:
        """See ``port.Journal.tenures``."""
        await self._turn(self._read_faults)
        return [
            Tenure(shard, self._epochs.get(shard, 0), self._owners.get(shard, ""))
            for shard in range(self._shards)
        ]

    async def release(self, epochs: Mapping[int, int]) -> None:
        """See ``port.Journal.release``."""
        await self._turn(self._claim_faults)
        for shard, epoch in epochs.items():
            if self._epochs.get(shard, 0) == epoch:
                self._owners.pop(shard, None)

    async def append(
        self, rows: Sequence[Row], epochs: Mapping[int, int], snapshots: Sequence[Snapshot] = ()
    ) -> frozenset[int]:
        """See ``port.Journal.append``."""
        self.appends += 1
        self.held += 1
        try:
            await self._gate.wait()
        finally:
            self.held -= 1
        await self._turn()
        if self._append_faults:
            error, written = self._append_faults.popleft()
            if written:
                self._write(rows, epochs, snapshots)
            raise error
        return self._write(rows, epochs, snapshots)

    async def replay(self, aggregate: str, id: str, fold: Fold[T]) -> T:
        """See ``port.Journal.replay``."""
        await self._turn(self._read_faults)
        rows = self._entities.get((aggregate, id), [])
        snapshot = self._snapshots.get((aggregate, id))
        if snapshot is not None and 0 < snapshot.version <= len(rows):
            made_by = rows[snapshot.version - 1]
            if made_by.seq == snapshot.seq:
                return fold(snapshot, rows[snapshot.version :])
        return fold(None, list(rows))

    async def replay_all(self, aggregate: str, id: str, fold: Fold[T], upto: int | None = None) -> T:
        """See ``port.Journal.replay_all``."""
        await self._turn(self._read_faults)
        return fold(None, self._entities.get((aggregate, id), [])[:upto])

    async def history(self, aggregate: str, id: str, after: int, limit: int) -> list[Row]:
        """See ``port.Journal.history``."""
        await self._turn(self._read_faults)
        return self._entities.get((aggregate, id), [])[after : after + limit]

    async def feed(self, shard: int, after: int, limit: int) -> list[Row]:
        """See ``port.Journal.feed``."""
        await self._turn(self._read_faults)
        return self._feeds.get(shard, [])[after : after + limit]

    def follow(self, after: Mapping[int, int]) -> "MemoryFeed":
        """See ``port.Journal.follow``."""
        return MemoryFeed(self, after)

    async def heads(self) -> dict[int, int]:
        """See ``port.Journal.heads``."""
        await self._turn(self._read_faults)
        return {shard: len(rows) for shard, rows in self._feeds.items() if rows}

    async def close(self) -> None:
        """See ``port.Journal.close``."""
        self._closed = True

    def fail_append(self, error: JournalError, *, written: bool = False) -> None:
        """The next append raises ``error``, after it was written or not. May be called several times."""
        self._append_faults.append((error, written))

    def fail_claim(self, error: JournalError) -> None:
        """The next claim or release raises ``error`` and changes nothing."""
        self._claim_faults.append(error)

    def fail_read(self, error: JournalError) -> None:
        """The next replay, history, feed or look at the tenures raises ``error``."""
        self._read_faults.append(error)

    def hold(self) -> None:
        """Appends from now on wait for ``let_go``, before anything of them is looked at."""
        self._gate.clear()

    def let_go(self) -> None:
        """Let the held appends go on, in their order."""
        self._gate.set()

    def claim_elsewhere(self, *shards: int, owner: str = "another") -> list[Claim]:
        """Another worker claims these shards, at once: appends under the epochs before are fenced."""
        for shard in shards:
            self._epochs[shard] = self._epochs.get(shard, 0) + 1
            self._owners[shard] = owner
        return [Claim(shard, self._epochs[shard], len(self._feeds.get(shard, []))) for shard in shards]

    async def _turn(self, faults: deque[JournalError] | None = None) -> None:
        await asyncio.sleep(0)
        if self._closed:
            raise JournalUnavailable("the journal is closed")
        if faults:
            raise faults.popleft()

    def _write(
        self, rows: Sequence[Row], epochs: Mapping[int, int], snapshots: Sequence[Snapshot]
    ) -> frozenset[int]:
        fenced = frozenset(shard for shard, epoch in epochs.items() if self._epochs.get(shard, 0) != epoch)
        good = [row for row in rows if row.shard not in fenced]
        self._check(good)
        for row in good:
            self._feeds.setdefault(row.shard, []).append(row)
            self._entities.setdefault((row.aggregate, row.id), []).append(row)
        for one in snapshots:
            if one.shard not in fenced:
                self._snapshots[one.aggregate, one.id] = one
        return fenced

    def _check(self, rows: Sequence[Row]) -> None:
        sequences: dict[int, int] = {}
        versions: dict[tuple[str, str], int] = {}
        for row in rows:
            key = (row.aggregate, row.id)
            seq = sequences.get(row.shard, len(self._feeds.get(row.shard, []))) + 1
            version = versions.get(key, len(self._entities.get(key, []))) + 1
            if (row.seq, row.version) != (seq, version):
                raise Corrupted(
                    f"{row.aggregate}/{row.id} version {row.version} at {row.shard}:{row.seq} is out of "
                    f"order: version {version} and sequence {seq} come next"
                )
            sequences[row.shard], versions[key] = seq, version


class MemoryFeed:
    """See ``port.Feed``."""

    def __init__(self, journal: MemoryJournal, after: Mapping[int, int]) -> None:
        self._journal = journal
        self._after = dict(after)

    async def read(self, limit: int) -> list[Row]:
        """See ``port.Feed.read``."""
        rows: list[Row] = []
        for shard in range(self._journal.shards):
            found = await self._journal.feed(shard, self._after.get(shard, 0), limit - len(rows))
            if found:
                rows += found
                self._after[shard] = found[-1].seq
            if len(rows) >= limit:
                break
        return rows
