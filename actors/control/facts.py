"""What a worker and a node tell of themselves.

Fields may be added with a default, never taken away: operators' scripts read them, and two releases run side
by side."""

import msgspec


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Unknown fields are ignored: a newer release tells more."""


class ShardFacts(Facts, frozen=True):
    """A shard on the worker that serves it."""

    shard: int
    epoch: int
    state: str
    """``open`` when it serves; see ``shard.ShardState``."""
    seq: int
    """The last committed event's."""
    active: int
    """Entities in memory."""


class EntityFacts(Facts, frozen=True):
    """An entity that others wait for."""

    aggregate: str
    id: str
    waiting: int
    """Messages in its mailbox, or commands that wait for its recovery."""


class QuarantineFacts(Facts, frozen=True):
    """An entity that waits for an operator."""

    aggregate: str
    id: str
    why: str
    seconds: float
    """For how long."""


class PlaceFacts(Facts, frozen=True):
    """How far a worker has folded a shard that it serves into a generation of a view."""

    shard: int
    seq: int
    """The last event that is folded."""
    head: int
    """The last that is committed, as far as the worker knows."""
    state: str
    """See ``projector.ProjectorState``."""


class ParkedFacts(Facts, frozen=True):
    """An event that could not be folded: its shard stands still in this generation of the view."""

    shard: int
    seq: int
    position: str
    """``<context>/<shard>:<seq>``."""
    event: str
    """Its stored type."""
    entity: str
    """``<aggregate>/<id>``."""
    version: int
    error: str
    attempts: int


class ViewFacts(Facts, frozen=True):
    """One generation of a view, as one worker folds it."""

    view: str
    generation: int
    fingerprint: str
    live: bool
    """It answers; else it is being built."""
    paused: bool
    foldable: bool
    """The worker's release can fold it; else the shards it serves stand still here."""
    folded: int
    """Events of this worker's shards that are folded, those before it started too."""
    lag: int
    """Events of this worker's shards that are committed and not folded."""
    seconds: float
    """For how long the oldest of them has been waiting."""
    waiting: int
    """Events in memory that wait to be folded."""
    places: tuple[PlaceFacts, ...] = ()
    parked: tuple[ParkedFacts, ...] = ()
    parks: int = 0
    """How many shards are parked; more than are listed when there are many."""


class ContextFacts(Facts, frozen=True):
    """One context on one worker."""

    context: str
    of: int
    """Shards the context has in the whole cluster."""
    shards: tuple[ShardFacts, ...]
    active: int
    """Entities in memory."""
    passivated: int
    recovered: int
    """Entities, since the worker started."""
    failures: int
    """Failures of entities, since the worker started."""
    waiting: int
    """Messages in its entities' mailboxes, and commands that wait for recoveries."""
    recovering: int
    """Entities being replayed, or waiting for that."""
    commit_queue: int
    """Decided events that wait for their commit."""
    slowest: tuple[EntityFacts, ...] = ()
    """The entities with the most waiting, the worst first."""
    quarantined: tuple[QuarantineFacts, ...] = ()
    quarantines: int = 0
    """How many are quarantined; more than are listed when there are many."""
    trouble: str = ""
    """Why it does not serve all it should."""
    views: tuple[ViewFacts, ...] = ()
    """By generation."""
    views_trouble: str = ""
    """Why the worker cannot fold views at present."""


class WorkerFacts(Facts, frozen=True):
    """One worker."""

    worker: str
    node: str
    slot: int
    host: str
    pid: int
    version: str
    roles: tuple[str, ...]
    state: str
    """``serving`` or ``leaving``."""
    uptime: float
    """Seconds."""
    in_flight: int
    """Requests being worked on."""
    connections: int
    contexts: tuple[ContextFacts, ...]
    note: str = ""
    """What was left out, when all would not have fitted into a message."""


class SlotFacts(Facts, frozen=True):
    """A place for a worker on its node."""

    slot: int
    worker: str
    """Empty while none runs."""
    pid: int
    state: str
    """See ``slot.SlotState``."""
    uptime: float
    """Seconds."""
    deaths: int
    """Since the slot exists."""
    last_words: str
    """Why its worker died last, or why it could not be replaced."""


class NodeFacts(Facts, frozen=True):
    """One node."""

    node: str
    host: str
    pid: int
    version: str
    uptime: float
    address: str
    """Where its gateways listen."""
    wanted: int
    """Workers that are meant to run."""
    slots: tuple[SlotFacts, ...]
    trouble: str = ""
    """Why a slot was given up last."""
