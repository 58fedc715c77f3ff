"""Group commit: the pipeline between deciding and answering.

An entity evolves at once and goes on deciding on its newest state, committed or not. What was decided waits
here:

1. All events of a context on this worker that arise while a commit is under way go into the next one.
2. Every answer that was decided on an uncommitted version - acceptance, rejection, read, failed
   precondition - is held by the batch that makes this version durable, and leaves in order after the commit.
3. Snapshots ride in the batch that commits their version: they are never of an uncommitted one.
4. At most one append is in flight, so a shard's sequence is gap-free in commit order.
5. *Fenced*: the shard has another owner. What it decided here is void; callers are told to ask again there.
6. *Nothing written* (unreachable, full): everything decided and not committed is void, and said to be.
7. *Outcome unknown*: nothing is guessed and nothing re-sent. The shards are claimed again, which excludes
   that the append lands later; then the journal says what it holds: what landed is answered as decided,
   what did not is asked anew. A shard that somebody else has claimed meanwhile is fenced, and stays theirs.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from actors.batch import Batch, Held, reply
from actors.journal.port import (
    Claim,
    Corrupted,
    Journal,
    JournalError,
    JournalFull,
    JournalUnavailable,
    OutcomeUnknown,
    Row,
    Snapshot,
)
from actors.messages import Ask, Reason, Refused
from actors.settings import JournalSettings

if TYPE_CHECKING:
    from actors.shard import Shard

logger = logging.getLogger(__name__)

PROBE_SECONDS = 1.0
"""Between two looks at a journal in trouble."""

_RECLAIM_BACKOFF = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between attempts to claim again; the last one repeats until the journal is back."""


class Committer:
    """Commits one context's decisions, batch by batch, and answers for them."""

    def __init__(
        self,
        journal: Journal,
        shards: Mapping[int, "Shard"],
        settings: JournalSettings,
        owner: str,
        elsewhere: Callable[[int, Ask], None],
    ) -> None:
        """``elsewhere`` takes an ask whose shard has another owner; nothing of it was done here."""
        self._journal = journal
        self._shards = shards
        self._settings = settings
        self._owner = owner
        self._elsewhere = elsewhere
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Batch] = deque()
        self._open = Batch()
        self._queued = 0
        self._wake = asyncio.Event()
        self._woken = False
        self._closing = False
        self.on_commit: list[Callable[[Sequence[Row]], None]] = []
        """Called with the rows of each commit, after its answers: views and the bus wake here."""
        self.commits = 0
        self.events = 0
        self.failures = 0
        self.rate = 0.0
        """Events committed per second, smoothed over a second."""
        self._last = self._loop.time()
        self.trouble = ""
        """Why the journal does not take commits at present; empty when it does."""
        self._task = self._loop.create_task(self._run(), name="committer")

    @property
    def task(self) -> "asyncio.Task[None]":
        """The task that commits; its owner watches it."""
        return self._task

    @property
    def queued(self) -> int:
        """Decided events that wait for their commit."""
        return self._queued

    @property
    def full(self) -> bool:
        """Whether deciding must pause until the journal has caught up."""
        return self._queued >= self._settings.queue

    def add(self, rows: Sequence[Row], held: Held) -> Batch:
        """Take a decision: its events, and the answer to hold until they are durable."""
        batch = self._open
        batch.rows.extend(rows)
        batch.held.append(held)
        self._queued += len(rows)
        if not self._woken:
            self._rouse()
        if len(batch.rows) >= self._settings.batch:
            self._queue.append(batch)
            self._open = Batch()
        return batch

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Store a snapshot of a committed version with the next commit."""
        self._open.snapshots.append(snapshot)
        self._rouse()

    async def settled(self) -> None:
        """Wait until all that was decided before this call is committed or void."""
        settled: asyncio.Future[None] = self._loop.create_future()
        self._open.then.append(lambda: None if settled.done() else settled.set_result(None))
        self._rouse()
        await settled

    def fence(self, numbers: frozenset[int]) -> None:
        """Others have claimed these shards: nothing that waits for its commit may be answered here. What is
        being appended learns it from the journal."""
        self._fence(Batch(), numbers)

    async def close(self) -> None:
        """Commit what is queued, then end."""
        self._closing = True
        self._rouse()
        await self._task

    def _rouse(self) -> None:
        self._woken = True
        self._wake.set()

    def _next(self) -> Batch:
        if self._queue:
            return self._queue.popleft()
        batch, self._open = self._open, Batch()
        return batch

    def _has_work(self) -> bool:
        return bool(self._queue or self._open.rows or self._open.snapshots or self._open.then)

    async def _run(self) -> None:
        while True:
            if not self._has_work():
                self._woken = False
                if self._closing:
                    return
                self._wake.clear()
                await self._wait_for_work()
                continue
            batch = self._next()
            for entity in batch.waiting_for_snapshot:
                entity.take_snapshot(batch)
            await self._commit(batch)

    async def _wait_for_work(self) -> None:
        """Until something is to be committed; while the journal is in trouble, look whether it is back, since
        a worker that says it is not ready is sent no commands that could show it."""
        while not self._wake.is_set():
            if not self.trouble:
                await self._wake.wait()
                return
            try:
                await asyncio.wait_for(self._wake.wait(), PROBE_SECONDS)
            except TimeoutError:
                await self._probe()

    async def _probe(self) -> None:
        """Write something that changes nothing but an epoch of our own."""
        shard = next((shard for shard in self._shards.values() if shard.is_open), None)
        if shard is None:
            return
        number = shard.number
        try:
            claims = await self._journal.claim([number], self._owner, after={number: shard.epoch})
        except JournalError as error:
            self.trouble = str(error)
            return
        self.trouble = ""
        for claim in claims:
            # Only the epoch: the shard may have numbered further events meanwhile.
            shard.epoch = claim.epoch
        if not claims and self._shards.get(number) is shard:
            self.fence(frozenset([number]))

    async def _commit(self, batch: Batch) -> None:
        shards = self._shards
        # A snapshot may outlive its shard's stay here; its events are in the journal anyway.
        batch.snapshots = [snapshot for snapshot in batch.snapshots if snapshot.shard in shards]
        if not batch.rows and not batch.snapshots:
            batch.end()
            return
        numbers = {row.shard for row in batch.rows}
        numbers.update(snapshot.shard for snapshot in batch.snapshots)
        epochs = {number: shards[number].epoch for number in numbers}
        try:
            fenced = await self._journal.append(batch.rows, epochs, batch.snapshots)
        except JournalFull as error:
            self._void(batch, Reason.JOURNAL_FULL, error)
        except JournalUnavailable as error:
            self._void(batch, Reason.JOURNAL_UNAVAILABLE, error)
        except OutcomeUnknown as error:
            await self._settle(batch, numbers, error)
        except Corrupted as error:
            # The last line of defence spoke: two histories met. Nothing was written, nothing is retried.
            logger.critical("the journal refused a batch as corrupt", extra={"fields": {"error": str(error)}})
            self._void(batch, Reason.FAILED, error)
        else:
            self.trouble = ""
            if fenced:
                self._fence(batch, fenced)
            self._committed(batch)

    def _committed(self, batch: Batch) -> None:
        rows = batch.rows
        self.commits += 1
        self.events += len(rows)
        self._queued -= len(rows)
        self._measure(len(rows))
        shards = self._shards
        for row in rows:
            shards[row.shard].committed = row.seq
        batch.answer()
        for tell in self.on_commit:
            tell(rows)

    def _measure(self, events: int) -> None:
        now = self._loop.time()
        elapsed = max(now - self._last, 1e-6)
        self._last = now
        self.rate += (events / elapsed - self.rate) * min(1.0, elapsed)

    def _take_all(self, first: Batch) -> list[Batch]:
        batches = [first, *self._queue, self._open]
        self._queue.clear()
        self._open = Batch()
        return batches

    def _void(self, first: Batch, reason: Reason, error: JournalError) -> None:
        """Nothing was written: all that was decided since the last commit never happened."""
        self.failures += 1
        self.trouble = str(error)
        logger.warning("commit failed, nothing written", extra={"fields": {"error": str(error)}})
        for batch in self._take_all(first):
            self._forget(batch, lambda number: True)
            for ask, _, _ in batch.held:
                reply(ask, Refused(reason, str(error), retry_after=1.0))
            batch.end()

    def _forget(self, batch: Batch, concerns: Callable[[int], bool]) -> None:
        """Drop every entity that holds a void decision, and step the shards' sequences back."""
        for ask, _, entity in batch.held:
            if concerns(entity.shard.number):
                entity.shard.drop(entity)
                # Or a retry would be given an answer that never came true.
                entity.shard.answers.forget(ask.key or ask.command_id)
        for number in {row.shard for row in batch.rows}:
            if concerns(number):
                self._shards[number].step_back()
        self._queued -= sum(concerns(row.shard) for row in batch.rows)

    def _fence(self, first: Batch, fenced: frozenset[int]) -> None:
        """Leave only what is still ours in the batch just committed and in those behind it."""
        for number in fenced:
            self._shards[number].fence()
        for batch in (first, *self._queue, self._open):
            self._forget(batch, fenced.__contains__)
            void = [held for held in batch.held if held[2].shard.number in fenced]
            batch.held = [held for held in batch.held if held[2].shard.number not in fenced]
            batch.rows = [row for row in batch.rows if row.shard not in fenced]
            batch.snapshots = [s for s in batch.snapshots if s.shard not in fenced]
            batch.waiting_for_snapshot = [
                e for e in batch.waiting_for_snapshot if e.shard.number not in fenced
            ]
            for ask, _, entity in void:
                ask.decided = False
                self._elsewhere(entity.shard.number, ask)

    async def _settle(self, first: Batch, numbers: set[int], error: OutcomeUnknown) -> None:
        """Claim again, read what landed, answer that, and ask the rest anew."""
        self.failures += 1
        self.trouble = str(error)
        logger.warning("commit's outcome unknown, claiming again", extra={"fields": {"error": str(error)}})
        batches = self._take_all(first)
        numbers = numbers.union(row.shard for batch in batches for row in batch.rows)
        for number in numbers:
            self._shards[number].suspend()
        for batch in batches:
            self._forget(batch, lambda number: True)
        landed, lost = await self._claim_again(sorted(numbers), first)
        rows = [row for row in first.rows if row.shard in landed]
        again: dict[int, list[Ask]] = {number: [] for number in numbers}
        for batch in batches:
            for ask, answer, entity in batch.held:
                if batch is first and entity.shard.number in landed:
                    reply(ask, answer)
                else:
                    ask.decided = False
                    again[entity.shard.number].append(ask)
            batch.end()
        self.events += len(rows)
        self.trouble = ""
        for number, asks in again.items():
            if number in lost:
                self._shards[number].fence()
                for ask in asks:
                    self._elsewhere(number, ask)
            else:
                self._shards[number].resume(asks)
        if rows:
            for tell in self.on_commit:
                tell(rows)

    async def _claim_again(self, numbers: Sequence[int], batch: Batch) -> tuple[set[int], set[int]]:
        """Claim ``numbers`` until the journal answers: the shards whose rows of ``batch`` are in it, and
        those that somebody else has claimed; neither can change any more.

        The attempts end with the journal's return or with this task; callers have their deadlines."""
        attempt = 0
        while True:
            try:
                claims = await self._reclaim(numbers)
                landed = {number for number in numbers if await self._has_landed(number, batch)}
                break
            except JournalError as error:
                self.trouble = str(error)
                await asyncio.sleep(_RECLAIM_BACKOFF[min(attempt, len(_RECLAIM_BACKOFF) - 1)])
                attempt += 1
        for claim in claims:
            self._shards[claim.shard].claimed(claim)
        return landed, set(numbers).difference(claim.shard for claim in claims)

    async def _reclaim(self, numbers: Sequence[int]) -> list[Claim]:
        """Claim those that are still ours."""
        epochs = {number: self._shards[number].epoch for number in numbers}
        claims = await self._journal.claim(numbers, self._owner, after=epochs)
        missing = set(numbers).difference(claim.shard for claim in claims)
        if missing:
            # One of ours, if an earlier attempt took effect and its answer was lost.
            tenures = await self._journal.tenures()
            mine = {t.shard: t.epoch for t in tenures if t.shard in missing and t.owner == self._owner}
            if mine:
                claims += await self._journal.claim(list(mine), self._owner, after=mine)
        return claims

    async def _has_landed(self, shard: int, batch: Batch) -> bool:
        mine = [row for row in batch.rows if row.shard == shard]
        if not mine:
            return True
        stored = await self._journal.feed(shard, mine[0].seq - 1, len(mine))
        # Another owner may have written in between: the same sequences prove nothing, the commands do.
        return [(r.seq, r.command_id) for r in stored] == [(r.seq, r.command_id) for r in mine]
