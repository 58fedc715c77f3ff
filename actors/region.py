"""The region: the way into one context's entities from this worker.

It knows which shard an entity belongs to and brings the ask there. What does not need the entity itself,
its past and its history, is read from the journal (``past.py``), which holds what is committed and nothing
else.
"""

import asyncio
import itertools
import logging
import os
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from thespian.actors import ActorAddress

from actors.aggregate import AggregateType
from actors.answers import Answers
from actors.batch import reply
from actors.commit import Committer
from actors.journal.port import Journal, JournalError, Row
from actors.lease import Lease
from actors.manifest import ContextManifest
from actors.messages import Accepted, Ask, Reason, Refused
from actors.past import Past
from actors.recovery import EntityKey, Recoveries, unreplayed
from actors.replies import reply_body
from actors.routing import Router
from actors.settings import Settings
from actors.shard import SWEEP, Quarantined, Shard, ShardState
from actors.stage import Stage

logger = logging.getLogger(__name__)

ANSWERS = 10_000
"""Answers to keyed commands a context keeps in memory per worker beyond those that wait for their commit;
about 4 MB."""

PAGE = 500
"""Events looked at in one go for a command that was sent before."""


def shard_of(aggregate: str, id: str, shards: int) -> int:
    """The shard an entity belongs to, for ever."""
    return zlib.crc32(f"{aggregate}/{id}".encode()) % shards


def storable(text: str) -> bool:
    """Whether every journal can hold it: PostgreSQL's text has no NUL, and UTF-8 no lone surrogates."""
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def wall_clock() -> int:
    """Microseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1000


class Region:
    """One context on this worker. Made by ``open_region``; everything runs on one loop."""

    def __init__(
        self,
        manifest: ContextManifest,
        journal: Journal,
        stage: Stage,
        settings: Settings,
        owner: str,
        lease: Lease,
        wall: Callable[[], int],
    ) -> None:
        self.manifest = manifest
        self.name = manifest.name
        self.journal = journal
        self.stage = stage
        self.settings = settings
        self.owner = owner
        self.lease = lease
        self.clock = stage.clock.now
        self.wall = wall
        self.kinds = {n: AggregateType(a, settings.entities) for n, a in manifest.aggregates.items()}
        self.answers = Answers(ANSWERS + settings.commits.queue)
        self.past = Past(journal, self.kinds, self._position)
        self.recoveries = Recoveries(journal, self.kinds, settings.entities.recoveries)
        self.shards: dict[int, Shard] = {}
        self.committer = Committer(journal, self.shards, settings.commits, owner, self.elsewhere)
        self.router: Router | None = None
        """Brings asks to other workers; without one every shard is served here or not at all."""
        self.on_shards: list[Callable[[], None]] = []
        """Called when shards have been taken or let go."""
        self.passivated = 0
        self.failures = 0
        self._addresses: list[ActorAddress | None] = [None] * journal.shards
        self._number = itertools.count(1)
        self._prefix = os.urandom(8)
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def shard_count(self) -> int:
        """Shards of the context, wherever they are served."""
        return len(self._addresses)

    def tell(self, ask: Ask) -> None:
        """Bring an ask to its shard; its ``reply`` is called exactly once, perhaps before this returns."""
        # Here, where every ask passes whatever it came by: a row that the journal cannot hold would void all
        # that is decided together with it.
        if not storable(f"{ask.id}{ask.by.subject}{ask.trace}"):
            ask.reply(Refused(Reason.UNSTORABLE, "NUL and lone surrogates cannot be stored"))
            return
        number = shard_of(ask.aggregate, ask.id, len(self._addresses))
        address = self._addresses[number]
        if address is None:
            self.elsewhere(number, ask)
        elif not self.stage.offer(address, ask):
            ask.reply(Refused(Reason.OVERLOADED, "the shard is busy", self.retry_after()))

    def elsewhere(self, shard: int, ask: Ask) -> None:
        """Take an ask whose shard is not here, or not any more; nothing of it was done."""
        if self.router is not None and not ask.relayed:
            self.router.send(shard, ask)
        else:
            ask.reply(Refused(Reason.MOVED, f"shard {shard} is not served here", retry_after=1.0))

    def recollect(self, ask: Ask, first: int, last: int) -> None:
        """Give the first answer to a command again: the events from version ``first`` to ``last``."""
        self._own(self._recollect(ask, first, last))

    async def _recollect(self, ask: Ask, first: int, last: int) -> None:
        try:
            rows = await self.journal.history(ask.aggregate, ask.id, first - 1, last - first + 1)
            answer = self._acceptance(ask, rows)
        except JournalError as error:
            reply(ask, unreplayed(error))
            return
        self.answers.remember(rows[-1].command_id, ask.fingerprint, answer)
        reply(ask, msgspec.structs.replace(answer, replayed=ask.key is not None))

    def _acceptance(self, ask: Ask, rows: Sequence[Row]) -> Accepted:
        kind = self.kinds[ask.aggregate]
        events = [kind.recorded(row) for row in rows]
        version = rows[-1].version
        return Accepted(
            version, reply_body(version, self._position(ask.aggregate, ask.id, rows[-1].seq), events)
        )

    def look_up(self, ask: Ask, version: int) -> None:
        """Find out whether a command that was sent before is in the journal, among the entity's events up
        to ``version``: then its answer is given again, else it is decided."""
        self._own(self._look_up(ask, version))

    async def _look_up(self, ask: Ask, version: int) -> None:
        # It was sent within the longest deadline there is, so older events need not be looked at.
        oldest = self.wall() - int(2e6 * self.settings.gateway.deadline_limit)
        try:
            end = version
            while end > 0:
                rows = await self.journal.history(ask.aggregate, ask.id, max(0, end - PAGE), min(end, PAGE))
                mine = [row for row in rows if row.command_id == ask.command_id]
                if mine:
                    self.recollect(ask, mine[0].version, mine[-1].version)
                    return
                if not rows or rows[0].at < oldest:
                    break
                end -= PAGE
        except JournalError as error:
            reply(ask, unreplayed(error))
            return
        ask.attempt = 0
        self.tell(ask)

    def command_id(self) -> bytes:
        """16 bytes that no other command has: 8 of this worker's, 8 counted."""
        return self._prefix + next(self._number).to_bytes(8, "big")

    def retry_after(self) -> float:
        """Seconds until a full mailbox will have been emptied, at the rate of the latest commits."""
        return min(30.0, max(1.0, self.settings.entities.mailbox / max(1.0, self.committer.rate)))

    def restart(self, shard: Shard) -> None:
        """Give up all of a shard's entities and claim it anew."""
        logger.critical("restarting a shard", extra={"fields": {"shard": shard.position(shard.seq)}})
        self._own(self._restart(shard))

    async def _restart(self, shard: Shard) -> None:
        shard.suspend()
        try:
            # Its earlier decisions stand: they must be in the journal before anything is replayed.
            await self.committer.settled()
            claims = await self.journal.claim([shard.number], self.owner, after={shard.number: shard.epoch})
            for claim in claims:
                shard.claimed(claim)
            if not claims:
                shard.fence()
        finally:
            shard.quarantines.clear()
            shard.resume(())

    def _own(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a region's task ended badly", exc_info=task.exception())

    def _position(self, aggregate: str, id: str, seq: int) -> str:
        return f"{self.name}/{shard_of(aggregate, id, len(self._addresses))}:{seq}"

    # Operating -------------------------------------------------------------------------------------------

    @property
    def active(self) -> int:
        """Living entities."""
        return sum(shard.active for shard in self.shards.values())

    def quarantined(self) -> dict[EntityKey, Quarantined]:
        """The entities that wait for an operator."""
        return {
            key: found
            for shard in self.shards.values()
            for key, found in shard.entities.items()
            if isinstance(found, Quarantined)
        }

    def release(self, aggregate: str, id: str) -> bool:
        """Let a quarantined entity try again; False if it is not quarantined."""
        shard = self.shards.get(shard_of(aggregate, id, len(self._addresses)))
        return shard is not None and shard.release((aggregate, id))

    def trouble(self) -> str:
        """Why this context does not serve all it should; empty when it does."""
        if self.committer.trouble:
            return self.committer.trouble
        states = [shard.state for shard in self.shards.values() if shard.state is not ShardState.OPEN]
        return f"{len(states)} of {len(self.shards)} shards are {states[0]}" if states else ""

    # Beginning and end -----------------------------------------------------------------------------------

    async def take(self, numbers: Sequence[int], after: Mapping[int, int] | None = None) -> None:
        """Claim shards, those whose epoch is still the one that ``after`` names, and serve them. Raises
        JournalError."""
        for claim in await self.journal.claim(numbers, self.owner, after):
            address = self.stage.spawn(partial(Shard, self, claim))
            self.shards[claim.shard] = self.stage.instance(address)
            self._addresses[claim.shard] = address
            self.stage.offer(address, SWEEP)
        self._shards_changed()

    async def hand_over(self, number: int, seconds: float) -> int:
        """Serve a shard no longer: finish what it took, for ``seconds`` at most, and forget it. The epoch
        under which it was served. What cannot be finished is void, and its callers are sent on."""
        shard = self.shards[number]
        shard.leave()
        try:
            async with asyncio.timeout(seconds):
                while shard.busy:  # noqa: ASYNC110 - mailboxes, recoveries and a commit, none of them for long
                    await asyncio.sleep(0.002)
                shard.passivate_all()
        except TimeoutError:
            logger.warning(
                "a shard leaves unfinished", extra={"fields": {"shard": shard.position(shard.seq)}}
            )
        shard.abandon()
        await self.committer.settled()
        self.forget(number)
        return int(shard.epoch)

    def forget(self, number: int) -> None:
        """Let a fenced shard go; asks for it are routed from here on."""
        shard = self.shards.pop(number)
        self._addresses[number] = None
        self.stage.stop(shard.myAddress)
        self._shards_changed()

    def _shards_changed(self) -> None:
        for tell in self.on_shards:
            tell()

    async def drain(self, grace: float) -> None:
        """Take nothing new, finish what was taken, passivate; for ``grace`` seconds at most."""
        for shard in self.shards.values():
            shard.stop_taking()
        try:
            async with asyncio.timeout(grace):
                while self._busy():  # noqa: ASYNC110 - five parts may be busy, none outlives the grace
                    await asyncio.sleep(0.005)
                for shard in self.shards.values():
                    shard.passivate_all()
                await self.committer.settled()
        except TimeoutError:
            logger.warning("not everything was finished", extra={"fields": {"context": self.name}})

    async def close(self) -> None:
        """End every task. The journal stays open: it is its opener's to close."""
        await self.recoveries.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.committer.close()

    def _busy(self) -> bool:
        return bool(
            self.recoveries.active
            or self.recoveries.queued
            or self.committer.queued
            or self._tasks
            or self.stage.pending
        )


async def open_region(
    manifest: ContextManifest,
    journal: Journal,
    stage: Stage,
    settings: Settings,
    owner: str,
    lease: Lease | None = None,
    wall: Callable[[], int] = wall_clock,
) -> Region:
    """A region that serves every shard, all claimed for ``owner``. Raises JournalError."""
    region = Region(manifest, journal, stage, settings, owner, lease or Lease(), wall)
    try:
        await region.take(range(journal.shards))
    except BaseException:
        await region.close()
        raise
    return region
