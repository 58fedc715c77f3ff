"""``cluster.yaml`` as frozen structs: every key, its type, its default and what it is for."""

import msgspec


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are errors."""


class GatewaySettings(Section, frozen=True):
    """The HTTP edge."""

    bind: str = "127.0.0.1:8080"
    """host:port; loopback unless authentication is configured. Port 0: any free one."""
    deadline: float = 5.0
    """Seconds a request may take when it does not say."""
    deadline_limit: float = 60.0
    """Seconds a request may ask for at most."""
    in_flight: int = 4096
    """Requests being worked on at once; more get 503."""
    connections: int = 8192
    """Open connections; more are closed at once."""
    header_seconds: float = 10.0
    """Seconds from a request's first byte to the end of its headers."""
    body_seconds: float = 10.0
    """Seconds from the end of the headers to the end of the body."""
    body_bytes: int = 65536
    header_bytes: int = 16384
    nesting: int = 32
    """Levels of arrays and objects in a body."""
    grace: float = 20.0
    """Seconds a worker may take to stop."""


class EntitySettings(Section, frozen=True):
    """Living aggregates."""

    active: int = 100_000
    """Entities in memory per worker and context; above it the least recently used are passivated."""
    idle: float = 120.0
    """Seconds after which an unused entity is passivated."""
    mailbox: int = 1000
    """Commands waiting at one entity."""
    recoveries: int = 64
    """Entities being replayed at once."""
    waiting: int = 10_000
    """Commands waiting for recoveries, per context."""
    snapshot_every: int = 100
    """Events between snapshots, at least; more as the state grows."""
    key_retention: float = 86_400.0
    """Seconds an idempotency key is remembered."""
    keys: int = 10_000
    """Idempotency keys an entity remembers at most."""


class SupervisionSettings(Section, frozen=True):
    """What happens to an entity whose code or journal fails."""

    failures: int = 5
    """Failures within ``window`` that quarantine an entity."""
    window: float = 60.0
    backoff: float = 0.05
    """Seconds before the second restart; doubled each time."""
    backoff_limit: float = 5.0
    quarantines: int = 100
    """Entities quarantined in one shard within ``window`` that restart the shard as a whole."""


class StageSettings(Section, frozen=True):
    """The actor system of a worker."""

    mailbox: int = 10_000
    """Messages waiting at an actor that does not state its own bound."""
    turn_seconds: float = 0.005
    """How long actors may run before sockets get their turn."""


class JournalSettings(Section, frozen=True):
    """How the journal is used; where it is, is ``journal``."""

    queue: int = 20_000
    """Decided events waiting for their commit, per context; more are refused."""
    batch: int = 2_000
    """Events in one group commit at most."""
    lock_seconds: float = 4.0
    """How long a commit waits for a lock that another process holds."""


class Settings(Section, frozen=True):
    """The whole of ``cluster.yaml``."""

    cluster: str = "butai"
    data: str = "data"
    """Folder of everything embedded."""
    workers: int = 1
    shards: int = 64
    """Shards per context, fixed when its journal is made."""
    journal: str = "sqlite"
    """``sqlite``: one file per context in ``data``."""
    contexts: tuple[str, ...] = ("contexts.venue", "contexts.booking")
    """Dotted names of modules that hold a ``context``."""
    gateway: GatewaySettings = GatewaySettings()
    entities: EntitySettings = EntitySettings()
    supervision: SupervisionSettings = SupervisionSettings()
    stage: StageSettings = StageSettings()
    commits: JournalSettings = JournalSettings()
    log: str = "text"
    """``text`` or ``json``."""
