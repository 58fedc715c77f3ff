"""A small context to command, a journal that fails on demand, and a region over both."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, assert_never

import msgspec

from actors.clock import VirtualClock
from actors.journal.port import Claim, Feed, Fold, Journal, Row, Snapshot, T, Tenure
from actors.lease import Lease
from actors.manifest import read
from actors.messages import Answer, Ask
from actors.region import Region, open_region, shard_of
from actors.settings import Settings
from actors.stage import Stage
from contexts.vocabulary import (
    ANONYMOUS,
    Aggregate,
    Call,
    Command,
    Context,
    Event,
    Get,
    Post,
    Principal,
    Rejection,
    State,
)


class Add(Command, frozen=True):
    amount: int = 1


class AddMany(Command, frozen=True):
    amounts: list[int]


class Nothing(Command, frozen=True):
    """Finds nothing to do."""


class Explode(Command, frozen=True):
    where: str


class Added(Event, frozen=True):
    amount: int


class Exploded(Event, frozen=True):
    pass


class TooMuch(Rejection, frozen=True):
    """The sum would pass one hundred."""

    total: int


class Total(State):
    value: int = 0
    by: str = ""


def decide(
    total: Total, command: Add | AddMany | Nothing | Explode, call: Call
) -> list[Added] | list[Exploded] | TooMuch:
    match command:
        case Add(amount):
            return [Added(amount)] if total.value + amount <= 100 else TooMuch(total.value)
        case AddMany(amounts):
            return [Added(amount) for amount in amounts]
        case Nothing():
            return []
        case Explode("decide"):
            raise RuntimeError("a bug in decide")
        case Explode():
            return [Exploded()]
        case _:
            assert_never(command)


def evolve(total: Total, event: Added | Exploded) -> Total:
    match event:
        case Added(amount):
            total.value += amount
            return total
        case Exploded():
            total.value = -1
            raise RuntimeError("a bug in evolve")
        case _:
            assert_never(event)


counter = Aggregate("counter", Total(), decide, evolve)
context = Context(
    "sums",
    aggregates=[counter],
    routes=[Post("/counters/{counter}", Add), Get("/counters/{counter}", counter)],
)


class FaultyJournal:
    """A journal whose next appends fail, or wait, as a test says; otherwise the one it wraps."""

    def __init__(self, journal: Journal) -> None:
        self.inner = journal
        self.gate = asyncio.Event()
        self.gate.set()
        self.before: list[Exception] = []
        """Raised by the next appends, which write nothing."""
        self.after: list[Exception] = []
        """Raised by the next appends, which have written."""
        self.claim_errors: list[Exception] = []
        self.batches: list[list[Row]] = []
        self.snapshots: list[Snapshot] = []
        self.replay_error: Exception | None = None
        self.replays = 0
        self.replaying = 0
        self.replaying_most = 0
        self.replay_gate = asyncio.Event()
        self.replay_gate.set()

    @property
    def shards(self) -> int:
        return self.inner.shards

    async def claim(
        self, shards: Sequence[int], owner: str, after: Mapping[int, int] | None = None
    ) -> list[Claim]:
        if self.claim_errors:
            raise self.claim_errors.pop(0)
        return await self.inner.claim(shards, owner, after)

    async def tenures(self) -> list[Tenure]:
        return await self.inner.tenures()

    async def release(self, epochs: Mapping[int, int]) -> None:
        await self.inner.release(epochs)

    async def append(
        self, rows: Sequence[Row], epochs: Mapping[int, int], snapshots: Sequence[Snapshot] = ()
    ) -> frozenset[int]:
        await self.gate.wait()
        if self.before:
            raise self.before.pop(0)
        fenced = await self.inner.append(rows, epochs, snapshots)
        self.batches.append(list(rows))
        self.snapshots.extend(snapshots)
        if self.after:
            raise self.after.pop(0)
        return fenced

    async def replay(self, aggregate: str, id: str, fold: Fold[T]) -> T:
        self.replays += 1
        self.replaying += 1
        self.replaying_most = max(self.replaying, self.replaying_most)
        try:
            await self.replay_gate.wait()
            if self.replay_error is not None:
                raise self.replay_error
            return await self.inner.replay(aggregate, id, fold)
        finally:
            self.replaying -= 1

    async def replay_all(self, aggregate: str, id: str, fold: Fold[T], upto: int | None = None) -> T:
        return await self.inner.replay_all(aggregate, id, fold, upto)

    async def history(self, aggregate: str, id: str, after: int, limit: int) -> list[Row]:
        return await self.inner.history(aggregate, id, after, limit)

    async def feed(self, shard: int, after: int, limit: int) -> list[Row]:
        return await self.inner.feed(shard, after, limit)

    def follow(self, after: Mapping[int, int]) -> Feed:
        return self.inner.follow(after)

    async def heads(self) -> dict[int, int]:
        return await self.inner.heads()

    async def close(self) -> None:
        await self.inner.close()


class House:
    """A region over a journal in memory, on a virtual clock."""

    def __init__(self, journal: FaultyJournal, clock: VirtualClock, settings: Settings) -> None:
        self.journal = journal
        self.clock = clock
        self.settings = settings
        self.stage = Stage(clock=clock)
        self.lease = Lease()
        self.region: Region

    async def open(self) -> "House":
        self.region = await open_region(
            read(context), self.journal, self.stage, self.settings, "tester", self.lease, self.wall
        )
        return self

    def wall(self) -> int:
        return 1_700_000_000_000_000 + int(self.clock.now() * 1e6)

    def tell(
        self,
        command: Command | None,
        id: str = "a",
        *,
        key: bytes | None = None,
        fingerprint: bytes = b"8 bytes.",
        expected: int | None = None,
        by: Principal = ANONYMOUS,
        patience: float = 5.0,
    ) -> "asyncio.Future[Answer]":
        """Ask, and get a future of the one answer."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.region.tell(
            Ask(
                aggregate="counter",
                id=id,
                command=command,
                deadline=self.clock.now() + patience,
                reply=future.set_result,
                by=by,
                key=key,
                fingerprint=fingerprint if key else None,
                expected=expected,
            )
        )
        return future

    async def ask(self, command: Command | None, id: str = "a", **how: Any) -> Answer:
        return await asyncio.wait_for(self.tell(command, id, **how), 5)

    async def value(self, id: str = "a") -> int:
        answer = await self.ask(None, id)
        state = msgspec.json.decode(answer.body)["state"]  # type: ignore[union-attr]
        return int(state["value"])

    def shard(self, id: str = "a") -> Any:
        return self.region.shards[shard_of("counter", id, self.journal.shards)]

    async def turns(self, count: int = 20) -> None:
        """Let everything that can run, run."""
        for _ in range(count):
            await asyncio.sleep(0)

    async def close(self) -> None:
        self.journal.gate.set()
        self.journal.replay_gate.set()
        await self.region.drain(5.0)
        await self.region.close()
        self.stage.shutdown()


Build = Callable[..., Awaitable[House]]
