"""Whatever two workers do to a journal in whatever order, SQLite answers as the reference does."""

import asyncio
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.journal.memory import MemoryJournal
from actors.journal.port import Claim, Journal, Row, Snapshot
from actors.journal.sqlite import SqliteJournal
from tests.actors.journal.conformance import row, seen, snapshot

SHARDS = 3
ENTITIES = ("x", "y")


@dataclass(frozen=True)
class Take:
    """A worker claims shards, maybe only those whose epochs it believes to know."""

    worker: int
    shards: list[int]
    after: bool = False


@dataclass(frozen=True)
class Release:
    """A worker gives up all shards that it believes to have."""

    worker: int


@dataclass(frozen=True)
class Write:
    """A worker appends, per (shard, entity) so many events, and maybe a snapshot of each, under the epochs
    it believes in."""

    worker: int
    events: list[tuple[int, str, int]]
    snapshots: bool


@dataclass(frozen=True)
class Reopen:
    """The process ends and starts again; what is not indexed is read back."""


_worker = st.integers(0, 1)
_shard = st.integers(0, SHARDS - 1)
_writes = st.lists(st.tuples(_shard, st.sampled_from(ENTITIES), st.integers(1, 4)), max_size=4)
_steps = st.one_of(
    st.builds(Take, _worker, st.lists(_shard, min_size=1, max_size=SHARDS, unique=True), st.booleans()),
    st.builds(Release, _worker),
    st.builds(Write, _worker, _writes, st.booleans()),
    st.builds(Write, _worker, _writes, st.booleans()),
    st.just(Reopen()),
)


@dataclass
class Worker:
    """What a worker believes: epochs and sequences from its last claims, versions from a replay then."""

    claims: dict[int, Claim] = field(default_factory=dict)
    sequences: dict[int, int] = field(default_factory=dict)
    versions: dict[tuple[int, str], int] = field(default_factory=dict)

    def epochs(self, shards: Iterable[int]) -> dict[int, int]:
        """Epochs as this worker knows them; 0 where it knows none."""
        return {shard: self.claims[shard].epoch if shard in self.claims else 0 for shard in shards}

    def batch(self, write: Write) -> tuple[list[Row], dict[int, int], list[Snapshot]]:
        """Rows that follow what this worker believes; it moves on only if they are accepted."""
        rows: list[Row] = []
        epochs: dict[int, int] = {}
        newest: dict[tuple[int, str], Row] = {}
        sequences, versions = dict(self.sequences), dict(self.versions)
        for shard, entity, count in write.events:
            if shard not in self.claims:
                continue
            epochs[shard] = self.claims[shard].epoch
            for _ in range(count):
                sequences[shard] = sequences.get(shard, 0) + 1
                version = versions[shard, entity] = versions.get((shard, entity), 0) + 1
                made = row(shard, sequences[shard], f"{entity}{shard}", version)
                newest[shard, entity] = made
                rows.append(made)
        return rows, epochs, [snapshot(one) for one in newest.values()] if write.snapshots else []

    def accepted(self, rows: list[Row], fenced: frozenset[int]) -> None:
        for one in rows:
            if one.shard not in fenced:
                self.sequences[one.shard] = one.seq
                self.versions[one.shard, one.id[0]] = one.version


async def learn(worker: Worker, journal: Journal, claims: list[Claim]) -> None:
    for claim in claims:
        worker.claims[claim.shard] = claim
        worker.sequences[claim.shard] = claim.last_seq
        for entity in ENTITIES:
            rows = await journal.history("space", f"{entity}{claim.shard}", 0, 10_000)
            worker.versions[claim.shard, entity] = len(rows)


async def same(one: Journal, other: Journal) -> None:
    assert await one.tenures() == await other.tenures()
    for shard in range(SHARDS):
        assert await one.feed(shard, 0, 1_000) == await other.feed(shard, 0, 1_000)
        for entity in ENTITIES:
            id = f"{entity}{shard}"
            assert await one.replay("space", id, seen) == await other.replay("space", id, seen)
            assert await one.history("space", id, 2, 3) == await other.history("space", id, 2, 3)


async def run(steps: list[Take | Release | Write | Reopen], path: Path, window: int) -> None:
    reference = MemoryJournal(SHARDS)
    journal = await SqliteJournal.open(path, SHARDS, window=window)
    workers = [Worker(), Worker()]
    try:
        for step in steps:
            match step:
                case Take(number, shards, after):
                    known = workers[number].epochs(shards) if after else None
                    claims = await journal.claim(shards, f"worker {number}", known)
                    assert claims == await reference.claim(shards, f"worker {number}", known)
                    await learn(workers[number], reference, claims)
                case Release(number):
                    held = workers[number].epochs(workers[number].claims)
                    await journal.release(held)
                    await reference.release(held)
                case Write(number):
                    rows, epochs, snapshots = workers[number].batch(step)
                    fenced = await journal.append(rows, epochs, snapshots)
                    assert fenced == await reference.append(rows, epochs, snapshots)
                    workers[number].accepted(rows, fenced)
                case Reopen():
                    await journal.close()
                    journal = await SqliteJournal.open(path, window=window)
            await same(journal, reference)
    finally:
        await journal.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_steps, max_size=12), st.sampled_from([1, 4, 16_384]))
def test_sqlite_answers_as_the_reference_does(
    steps: list[Take | Release | Write | Reopen], window: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(steps, Path(folder) / "booking.sqlite", window))
