"""``cluster.yaml`` as frozen structs: every key, its type, its default and what it is for."""

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=31_536_000)]
"""More than nothing, a year at most: what is longer is a mistake in the unit."""
Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
        description="a name of at most 63 lower-case letters, digits, '-' and '_'",
    ),
]
"""What becomes part of subjects, labels and file names."""
Module = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$", description="a dotted module name"),
]


def without_login(text: str) -> str:
    """A URL without who logs in there: a password is not for logs and messages."""
    return re.sub(r"://.*@", "://***@", text, flags=re.DOTALL)


EMBEDDED = "embedded"
Bus = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(embedded|(nats|tls)://[^\s,/]+(, *(nats|tls)://[^\s,/]+)*)$",
        description="embedded, or nats:// or tls:// URLs separated by commas",
    ),
]


SQLITE = "sqlite"
Journal = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(sqlite|postgres(ql)?://\S+)$",
        description="sqlite, or postgresql://user@host/database",
    ),
]
Role = Literal["gateway", "actors"]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are errors."""


class GatewaySettings(Section, frozen=True):
    """The HTTP edge."""

    bind: str = "127.0.0.1:8080"
    """host:port; loopback unless authentication is configured. Port 0: any free one."""
    deadline: Seconds = 5.0
    """Seconds a request may take when it does not say."""
    deadline_limit: Seconds = 60.0
    """Seconds a request may ask for at most."""
    in_flight: Count = 4096
    """Requests being worked on at once; more get 503."""
    connections: Count = 8192
    """Open connections; more are closed at once."""
    header_seconds: Seconds = 10.0
    """Seconds from a request's first byte to the end of its headers."""
    body_seconds: Seconds = 10.0
    """Seconds from the end of the headers to the end of the body."""
    idle_seconds: Seconds = 75.0
    """Seconds an unused connection is kept."""
    body_bytes: Annotated[int, msgspec.Meta(ge=64, le=67_108_864)] = 65536
    """Bytes of a request\'s body at most."""
    header_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1_048_576)] = 16384
    """Bytes of a request\'s line and headers at most."""
    nesting: Annotated[int, msgspec.Meta(ge=1, le=200)] = 32
    """Levels of arrays and objects in a body."""
    grace: Seconds = 20.0
    """Seconds a worker may take to stop."""
    followers: Count = 2048
    """Clients that follow events of one context at once, per worker; more get 503."""
    follow_bytes: Annotated[int, msgspec.Meta(ge=1024, le=268_435_456)] = 1_048_576
    """Unsent bytes with which a client that follows is cut; it may come again."""
    heartbeat_seconds: Seconds = 15.0
    """Seconds of silence after which a client that follows is sent a comment."""


class EntitySettings(Section, frozen=True):
    """Living aggregates."""

    active: Count = 100_000
    """Entities in memory per worker and context; above it the least recently used are passivated."""
    idle: Seconds = 120.0
    """Seconds after which an unused entity is passivated."""
    mailbox: Count = 1000
    """Commands waiting at one entity."""
    recoveries: Count = 64
    """Entities being replayed at once."""
    waiting: Count = 10_000
    """Commands waiting for recoveries, per context."""
    snapshot_every: Count = 100
    """Events between snapshots, at least; more as the state grows."""
    key_retention: Seconds = 86_400.0
    """Seconds an idempotency key is remembered."""
    keys: Count = 100_000
    """Idempotency keys an entity remembers at most."""


class SupervisionSettings(Section, frozen=True):
    """What happens to an entity whose code or journal fails."""

    failures: Count = 5
    """Failures within ``window`` that quarantine an entity."""
    window: Seconds = 60.0
    """Seconds for which a failure counts."""
    backoff: Seconds = 0.05
    """Seconds before the second restart; doubled each time."""
    backoff_limit: Seconds = 5.0
    """Seconds between two restarts at most."""
    quarantines: Count = 100
    """Entities quarantined in one shard within ``window`` that restart the shard as a whole."""


class StageSettings(Section, frozen=True):
    """The actor system of a worker."""

    mailbox: Count = 10_000
    """Messages waiting at an actor that does not state its own bound."""
    turn_seconds: Seconds = 0.005
    """How long actors may run before sockets get their turn."""


class JournalSettings(Section, frozen=True):
    """How the journal is used; where it is, is ``journal``."""

    queue: Count = 20_000
    """Decided events waiting for their commit, per context; more are refused."""
    batch: Count = 2_000
    """Events in one group commit at most."""
    lock_seconds: Seconds = 4.0
    """How long a commit waits for a lock that another process holds."""


class ViewSettings(Section, frozen=True):
    """How events are folded into views."""

    batch: Count = 2_000
    """Events in one transaction at most; as many again of generations that are being built."""
    page: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1_000
    """Events read at once from the journal by a view that catches up."""
    pending: Count = 2_000
    """Committed events waiting for one view's shard; beyond them they are read from the journal again."""
    attempts: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 6
    """Attempts at an event that cannot be folded, before its view's shard is parked."""
    backoff: Seconds = 0.1
    """Seconds before the second attempt; doubled each time."""
    backoff_limit: Seconds = 5.0
    """Seconds between two attempts at most."""


class FabricSettings(Section, frozen=True):
    """What opens a bus that is not the node's own."""

    credentials: str = ""
    """File with a NATS user's JWT and seed; empty: none."""
    ca: str = ""
    """File of certificates to trust instead of the system's; empty: the system's."""
    certificate: str = ""
    """File with the client's certificate chain; empty: none."""
    key: str = ""
    """File with the private key of ``certificate``."""
    replicas: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    """Servers that keep the members and the pins; 3 for a NATS cluster of three."""


class NodeSettings(Section, frozen=True):
    """What a host's workers do, and how their node treats them."""

    roles: Annotated[tuple[Role, ...], msgspec.Meta(min_length=1)] = ("gateway", "actors")
    """``gateway``: answer HTTP; ``actors``: own shards."""
    contexts: tuple[Name, ...] = ()
    """Names of the contexts whose shards its workers may own; empty: all."""
    capacity: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    """What one of its workers takes in proportion to other nodes' workers."""
    hang_seconds: Seconds = 5.0
    """Seconds without a sign of life after which a worker is killed and started again."""

    restarts: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 10
    """Deaths of one worker within ``window`` that are answered by a restart; one more ends the node."""
    window: Seconds = 60.0
    """Seconds for which a failure counts."""
    backoff: Seconds = 0.1
    """Seconds before the second restart in a window; doubled each time. The first is immediate."""
    backoff_limit: Seconds = 5.0
    """Seconds between two restarts at most."""
    start_seconds: Seconds = 60.0
    """Seconds a worker may take to become ready."""


class Settings(Section, frozen=True):
    """The whole of ``cluster.yaml``."""

    cluster: Name = "butai"
    """What the cluster is called in what people read."""
    data: Annotated[str, msgspec.Meta(min_length=1)] = "data"
    """Folder of everything embedded; a relative one lies in the folder where the node was started."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    """Processes on this host."""
    shards: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 64
    """Shards per context, fixed when its journal is made; a journal keeps its own number."""
    journal: Journal = SQLITE
    """``sqlite``: one file per context in ``data``; else ``postgresql://user@host/database``."""
    bus: Bus = EMBEDDED
    """``embedded``: a NATS server of the node's own; else ``nats://host:port`` or ``tls://``, with commas."""
    contexts: Annotated[tuple[Module, ...], msgspec.Meta(min_length=1)] = (
        "contexts.venue",
        "contexts.booking",
    )
    """Dotted names of modules that hold a ``context``."""
    gateway: GatewaySettings = GatewaySettings()
    entities: EntitySettings = EntitySettings()
    supervision: SupervisionSettings = SupervisionSettings()
    stage: StageSettings = StageSettings()
    commits: JournalSettings = JournalSettings()
    views: ViewSettings = ViewSettings()
    fabric: FabricSettings = FabricSettings()
    node: NodeSettings = NodeSettings()
    log: Literal["text", "json"] = "text"
    """``text`` or ``json``."""

    def __repr__(self) -> str:
        text = super().__repr__()
        for url in (self.journal, self.bus):
            text = text.replace(repr(url), repr(without_login(url)))
        return text

    def journal_file(self, context: str) -> Path:
        """Where a context's journal is."""
        return Path(self.data) / f"{context}.sqlite"

    def views_file(self, context: str) -> Path:
        """Where the documents of a context's views are."""
        return Path(self.data) / f"{context}.views.sqlite"

    def bus_urls(self) -> tuple[str, ...]:
        """The servers of a bus that is not embedded."""
        return tuple(url.strip() for url in self.bus.split(","))
