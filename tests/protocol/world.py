"""The state of the model: a journal, two workers, their clients, and what is under way between them."""

from enum import IntEnum
from typing import NamedTuple

from tests.protocol.linearizable import Orders, beginning
from tests.protocol.reservation import Answer, EventLog


class Phase(IntEnum):
    """What a worker is to the shard."""

    AWAY = 0
    CLAIMING = 1
    """It decided to claim; the claim is on its way."""
    CLAIMED = 2
    """It has claimed without word of the old owner and has not looked again."""
    OPEN = 3
    LEAVING = 4
    SETTLING = 5
    """An append's outcome is unknown."""


class Pulse(IntEnum):
    """How far a worker's last confirmed heartbeat is away."""

    BEATING = 0
    LATE = 1
    """Stopped or cut off; the lease still holds."""
    EXPIRED = 2
    """The lease has run out."""
    GONE = 3
    """The margin has passed, too."""
    BACK = 4
    """Confirmed again after the lease ran out; the epoch is not checked yet."""


class Fate(IntEnum):
    """What has become of an append, which its worker learns later."""

    NONE = 0
    SENT = 1
    LANDED = 2
    FENCED = 3
    CORRUPT = 4


class Held(NamedTuple):
    """An answer that waits until ``version`` is committed."""

    operation: int
    answer: Answer
    version: int


class Worker(NamedTuple):
    """Everything a worker knows about the shard and its one entity."""

    phase: Phase = Phase.AWAY
    epoch: int = 0
    """Under which it serves; while claiming, the one it has seen and wants to follow."""
    silently: bool = False
    """The claim rests on silence, not on word."""
    pulse: Pulse = Pulse.BEATING
    events: EventLog = ()
    """The entity's newest state, committed or not."""
    committed: int = 0
    fate: Fate = Fate.NONE
    upto: int = 0
    """The version that the append in flight commits."""
    held: tuple[Held, ...] = ()
    rejected: tuple[str, ...] = ()
    """Commands whose rejection it remembers; shards come and go, the memory stays."""


class Append(NamedTuple):
    """An append whose worker does not wait for it any more: it may land at any time, or never."""

    epoch: int
    after: int
    events: EventLog


class Ask(IntEnum):
    """How far an operation of a client is."""

    NEW = 0
    WAITING = 1
    """Asked; no worker has it: it is brought to the next one that serves."""
    HELD = 2
    """Decided, not answered."""
    ANSWERED = 3
    LOST = 4
    """Its answer went astray."""


class Bounds(NamedTuple):
    """How often each thing may still happen."""

    crashes: int = 0
    silences: int = 0
    handovers: int = 0
    unknown: int = 0
    """Appends of which the worker never hears: a timeout, a lost connection."""
    lost: int = 0
    """Answers that never reach their client."""


class World(NamedTuple):
    """A state. A fault is part of it, so that a search can stop there."""

    journal: EventLog
    epoch: int
    word: int
    """The epoch whose owner was last said to have released the shard or to be dead; 0: none."""
    workers: tuple[Worker, Worker]
    strays: tuple[Append, ...]
    asks: tuple[Ask, ...]
    orders: Orders
    left: Bounds
    fault: str = ""


def first_world(operations: int, bounds: Bounds) -> World:
    """One worker serves under epoch 1, the other could; nothing was asked."""
    owner = Worker(Phase.OPEN, 1)
    asks = (Ask.NEW,) * operations
    return World((), 1, 0, (owner, Worker()), (), asks, beginning(operations), bounds)


def canonical(world: World, fenced: bool) -> World:
    """The one world that stands for all that differ in names only.

    Workers have no names. Of an epoch only whether it is the shard's counts. With ``fenced`` appends, a stray
    one under an older epoch can do nothing any more and is left out."""

    def age(epoch: int) -> int:
        return 0 if not epoch else 2 if epoch == world.epoch else 1

    first, second = (w._replace(epoch=age(w.epoch)) for w in world.workers)
    if second < first:
        first, second = second, first
    strays = world.strays
    if strays:
        kept = (s._replace(epoch=age(s.epoch)) for s in strays if s.epoch == world.epoch or not fenced)
        strays = tuple(sorted(kept))
    return world._replace(epoch=2, word=age(world.word), workers=(first, second), strays=strays)
