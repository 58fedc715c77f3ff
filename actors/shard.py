"""A shard: the slice of a context's entities that is owned, ordered, fenced and moved as one.

It finds an entity or has it recovered, offers it the ask, passivates what is not used, and supervises what
fails. It numbers the shard's events; the committer tells it how far they are durable.
"""

import logging
from collections.abc import Iterable
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from thespian.actors import Actor, WakeupMessage

from actors.aggregate import Replayed
from actors.entity import Entity
from actors.journal.port import Claim
from actors.messages import Absent, Ask, Reason, Refused
from actors.recovery import EntityKey, Recovery, unreplayed
from actors.supervision import Escalate, Quarantine, supervise, within

if TYPE_CHECKING:
    from actors.region import Region

logger = logging.getLogger(__name__)

SWEEP = object()
"""The message that starts a shard's passivation rounds."""

SCAN = 64
"""Entities looked at in one go when some must leave: bounds the time one message takes."""


class ShardState(StrEnum):
    """What a shard does with an ask."""

    OPEN = "open"
    """Serve it."""
    SUSPENDED = "suspended"
    """Let it wait: the shard is being claimed again."""
    LEAVING = "leaving"
    """Send it on: the shard is being handed over."""
    FENCED = "fenced"
    """Send it on: another owner has claimed the shard."""
    STOPPING = "stopping"
    """Send it away: the worker is shutting down."""


class Quarantined(msgspec.Struct, frozen=True):
    """An entity that failed too often, until it is released."""

    since: float
    why: str


class Shard(Actor):
    """One shard of one context on this worker."""

    def __init__(self, region: "Region", claim: Claim) -> None:
        self.region = region
        self.number = claim.shard
        self.epoch = claim.epoch
        self.seq = self.committed = claim.last_seq
        self.state = ShardState.OPEN
        self.stage = region.stage
        self.clock = region.clock
        self.wall = region.wall
        self.lease = region.lease
        self.committer = region.committer
        self.answers = region.answers
        self.command_id = region.command_id
        self.recollect = region.recollect
        self.look_up = region.look_up
        self.entities: dict[EntityKey, Entity | Recovery | Quarantined] = {}
        self.waiting: list[Ask] = []
        self.failures: dict[EntityKey, list[float]] = {}
        self.quarantines: list[float] = []
        self.active = 0
        self._limit = max(1, -(-region.settings.entities.active // region.journal.shards))
        self._period = min(region.settings.entities.idle / 4, 30.0)
        self._prefix = f"{region.name}/{self.number}:"

    def position(self, seq: int) -> str:
        """A place in the context's event feed, as the outside names it."""
        return f"{self._prefix}{seq}"

    def receiveMessage(self, message: Any, sender: Any) -> None:
        """Take an ``Ask``, or a wake-up for the passivation round or a delayed restart."""
        if type(message) is Ask:
            self.receive(message)
        elif isinstance(message, WakeupMessage):
            if isinstance(message.payload, Recovery):
                self._recover_now(message.payload)
            else:
                self._sweep()
        elif message is SWEEP:
            # Spread over the period, or all shards would look through their entities in the same turn.
            self.wakeupAfter(self._period * (self.number + 1) / self.region.journal.shards)

    def receive(self, ask: Ask) -> None:
        """Bring an ask to its entity, or say at once why not."""
        if self.state is not ShardState.OPEN:
            self._turn_away(ask)
            return
        key = (ask.aggregate, ask.id)
        found = self.entities.get(key)
        if type(found) is Entity:
            if not self.stage.offer(found.address, ask):
                ask.reply(Refused(Reason.MAILBOX_FULL, "the entity is busy", self.region.retry_after()))
        elif found is None:
            recovery = self.entities[key] = Recovery(self, key)
            if self._wait(ask, recovery.waiting):
                self.region.recoveries.start(recovery)
            else:
                del self.entities[key]
        elif isinstance(found, Recovery):
            if len(found.waiting) >= self.region.settings.entities.mailbox:
                ask.reply(Refused(Reason.MAILBOX_FULL, "the entity is busy", self.region.retry_after()))
            else:
                self._wait(ask, found.waiting)
        else:
            ask.reply(Refused(Reason.QUARANTINED, f"the entity is quarantined: {found.why}", 60.0))

    # Waiting ---------------------------------------------------------------------------------------------

    def _wait(self, ask: Ask, queue: list[Ask]) -> bool:
        recoveries = self.region.recoveries
        if recoveries.waiting >= self.region.settings.entities.waiting:
            ask.reply(Refused(Reason.OVERLOADED, "too many recoveries", self.region.retry_after()))
            return False
        recoveries.waiting += 1
        queue.append(ask)
        return True

    def _take(self, queue: list[Ask]) -> list[Ask]:
        taken = queue[:]
        queue.clear()
        self.region.recoveries.waiting -= len(taken)
        return taken

    def _turn_away(self, ask: Ask) -> None:
        if self.state is ShardState.SUSPENDED:
            self._wait(ask, self.waiting)
        elif self.state in (ShardState.LEAVING, ShardState.FENCED):
            self.elsewhere(ask)
        else:
            ask.reply(Refused(Reason.STOPPING, "the worker is shutting down", 1.0))

    def elsewhere(self, ask: Ask) -> None:
        """Send an ask on of which nothing was done here; it may come back when it may be decided."""
        self.region.elsewhere(self.number, ask)

    # Recovering ------------------------------------------------------------------------------------------

    def _recover_now(self, recovery: Recovery) -> None:
        if self.entities.get(recovery.key) is recovery:
            self.region.recoveries.start(recovery)

    def recovered(self, recovery: Recovery, replayed: Replayed) -> None:
        """The journal has told: the entity lives. Runs on the loop between two messages, as one would."""
        asks = self._take(recovery.waiting)
        if self.entities.get(recovery.key) is not recovery:
            self._again(asks)
            return
        if replayed.version == 0 and all(ask.command is None for ask in asks):
            # Asking for what does not exist must not fill the memory.
            del self.entities[recovery.key]
            for ask in asks:
                ask.reply(Absent(0))
            return
        aggregate, id = recovery.key
        factory = partial(Entity, self, self.region.kinds[aggregate], id, replayed, self.clock())
        address = self.stage.spawn(factory, parent=self.myAddress)
        entity: Entity = self.stage.instance(address)
        entity.address = address
        self.entities[recovery.key] = entity
        self.active += 1
        self._again(asks)
        if self.active > self._limit:
            self._evict()

    def not_recovered(self, recovery: Recovery, error: Exception) -> None:
        """The entity cannot be replayed: its callers are told, and it is supervised like one that failed."""
        asks = self._take(recovery.waiting)
        if self.entities.get(recovery.key) is not recovery:
            self._again(asks)
            return
        del self.entities[recovery.key]
        refusal = unreplayed(error)
        for ask in asks:
            ask.reply(refusal)
        if refusal.reason is not Reason.JOURNAL_UNAVAILABLE:
            self._supervise(recovery.key, error, restart=False)

    def _again(self, asks: Iterable[Ask]) -> None:
        for ask in asks:
            self.receive(ask)

    # Failing ---------------------------------------------------------------------------------------------

    def failed(self, entity: Entity, ask: Ask, error: BaseException) -> None:
        """A bug in the context: the caller is told, the entity replayed without what was not decided."""
        name = type(ask.command).__name__ if ask.command is not None else "the query"
        ask.reply(Refused(Reason.FAILED, f"{name} failed because of a fault in the context"))
        self.drop(entity)
        self._supervise((entity.kind.name, entity.id), error, restart=True, entity=entity)

    def _supervise(
        self, key: EntityKey, error: BaseException, restart: bool, entity: Entity | None = None
    ) -> None:
        now = self.clock()
        limits = self.region.settings.supervision
        times = within([*self.failures.get(key, ()), now], now, limits.window)
        self.failures[key] = times
        directive = supervise(times, self.quarantines, now, limits)
        self.region.failures += 1
        logger.error(
            "entity failed",
            exc_info=error,
            extra={"fields": {"entity": "/".join(key), "failures": len(times), "then": repr(directive)}},
        )
        if isinstance(directive, Quarantine | Escalate):
            self.quarantines = [*within(self.quarantines, now, limits.window), now]
            self.entities[key] = Quarantined(now, f"{type(error).__name__} {len(times)} times")
            if isinstance(directive, Escalate):
                self.region.restart(self)
        elif restart or directive.delay > 0:
            recovery = self.entities[key] = Recovery(self, key)

            def begin() -> None:
                if directive.delay > 0:
                    self.wakeupAfter(directive.delay, recovery)
                else:
                    self._recover_now(recovery)

            if entity is None or entity.batch is None or entity.batch.committed:
                begin()
            else:
                # Its earlier decisions stand: they must be in the journal before it is replayed.
                entity.batch.then.append(begin)

    def release(self, key: EntityKey) -> bool:
        """Let a quarantined entity try again; False if it is not quarantined."""
        if not isinstance(self.entities.get(key), Quarantined):
            return False
        del self.entities[key]
        self.failures.pop(key, None)
        return True

    def drop(self, entity: Entity) -> None:
        """Forget a living entity; what is in its mailbox comes back here."""
        if entity.gone:
            return
        entity.gone = True
        self.active -= 1
        key = (entity.kind.name, entity.id)
        if self.entities.get(key) is entity:
            del self.entities[key]
        self.stage.stop(entity.address)

    @property
    def is_open(self) -> bool:
        """Whether it serves."""
        return self.state is ShardState.OPEN

    # Ownership -------------------------------------------------------------------------------------------

    def step_back(self) -> None:
        """What was numbered and not committed never happened."""
        self.seq = self.committed

    def claimed(self, claim: Claim) -> None:
        """The shard is ours under a new epoch."""
        self.epoch = claim.epoch
        self.seq = self.committed = claim.last_seq

    def suspend(self) -> None:
        """Serve nothing until ``resume``; no entity outlives this."""
        if self.state is ShardState.OPEN:
            self.state = ShardState.SUSPENDED
        self._clear()

    def resume(self, first: Iterable[Ask]) -> None:
        """Serve again: ``first``, then what waited."""
        if self.state is ShardState.SUSPENDED:
            self.state = ShardState.OPEN
        self._again([*first, *self._take(self.waiting)])

    def fence(self) -> None:
        """Another owner has claimed the shard: nothing of it may stay."""
        if self.state is not ShardState.FENCED:
            logger.warning("shard fenced", extra={"fields": {"shard": self._prefix, "epoch": self.epoch}})
        self.abandon()

    def abandon(self) -> None:
        """Serve nothing any more, and send on what waits."""
        self.state = ShardState.FENCED
        self._clear()
        self._again(self._take(self.waiting))

    def stop_taking(self) -> None:
        """Refuse new asks; what was taken is still decided."""
        if self.state in (ShardState.OPEN, ShardState.SUSPENDED):
            self.state = ShardState.STOPPING

    def leave(self) -> None:
        """Send new asks on; what was taken is still decided."""
        if self.state in (ShardState.OPEN, ShardState.SUSPENDED):
            self.state = ShardState.LEAVING

    @property
    def busy(self) -> bool:
        """Whether something that was taken is not decided, or not committed, yet."""
        if self.seq != self.committed or self.waiting:
            return True
        for found in self.entities.values():
            if isinstance(found, Recovery):
                if found.waiting:
                    return True
            elif type(found) is Entity and not self._may_leave(found):
                return True
        return False

    def _clear(self) -> None:
        for found in list(self.entities.values()):
            if isinstance(found, Entity):
                self.drop(found)
        stranded = [found for found in self.entities.values() if isinstance(found, Recovery)]
        self.entities.clear()
        for recovery in stranded:
            self._again(self._take(recovery.waiting))

    # Passivation -----------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Passivate what was idle too long, and forget old failures."""
        entities = self.region.settings.entities
        now = self.clock()
        for found in [e for e in self.entities.values() if type(e) is Entity]:
            if now - found.used >= entities.idle and self._may_leave(found):
                self.passivate(found)
        if self.active > self._limit:
            self._evict()
        window = self.region.settings.supervision.window
        self.failures = {k: t for k, ts in self.failures.items() if (t := within(ts, now, window))}
        self.wakeupAfter(self._period)

    def _evict(self) -> None:
        """Passivate the least recently used above the limit: second chance in order of arrival."""
        for key in list(islice(self.entities, SCAN)):
            if self.active <= self._limit:
                return
            found = self.entities[key]
            if type(found) is not Entity:
                continue
            if found.used > found.placed or not self._may_leave(found):
                found.placed = found.used
                self.entities[key] = self.entities.pop(key)
            else:
                self.passivate(found)

    def _may_leave(self, entity: Entity) -> bool:
        return entity.quiet and entity.address.mailbox is None

    def passivate(self, entity: Entity) -> None:
        """Let a quiet entity go, with a snapshot where that saves a replay worth the name."""
        unsaved = entity.version - entity.snapshot_version
        if unsaved * 10 >= entity.snapshot_due - entity.snapshot_version:
            snapshot = entity.snapshot()
            if snapshot is not None:
                self.committer.add_snapshot(snapshot)
        self.region.passivated += 1
        self.drop(entity)

    def passivate_all(self) -> None:
        """At the end of a worker: everything quiet leaves."""
        for found in list(self.entities.values()):
            if isinstance(found, Entity) and self._may_leave(found):
                self.passivate(found)
