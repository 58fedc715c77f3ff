"""What travels between the gateway, the region, a shard and an entity."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from contexts.vocabulary import ANONYMOUS, Command, Principal, Rejection


class Reason(StrEnum):
    """Why an ask was not answered by the domain. The gateway maps each to a problem type."""

    PRECONDITION = "precondition"
    """The version is not the expected one; nothing was done."""
    KEY_REUSED = "key-reused"
    """The idempotency key was used with another payload; nothing was done."""
    NO_SUCH_VERSION = "no-such-version"
    """The entity has not reached that version, or does not exist."""
    MAILBOX_FULL = "mailbox-full"
    """The entity has too many commands waiting; nothing was done."""
    OVERLOADED = "overloaded"
    """The worker has too much in flight, or too many entities are being recovered; nothing was done."""
    EXPIRED = "expired"
    """The deadline passed before the command was decided; nothing was done."""
    QUARANTINED = "quarantined"
    """The entity failed too often and waits for an operator; nothing was done."""
    MOVED = "moved"
    """The shard is not here any more, or not yet; nothing was done, ask again."""
    STOPPING = "stopping"
    """The worker is shutting down; nothing was done."""
    JOURNAL_UNAVAILABLE = "journal-unavailable"
    """The journal could not be reached; nothing was done."""
    JOURNAL_FULL = "journal-full"
    """The journal takes no more; nothing was done."""
    UNSTORABLE = "unstorable"
    """The entity's id, the caller or the trace is text that not every journal can hold; nothing was done."""
    FAILED = "failed"
    """A bug in the context: the entity was restarted from its journal; nothing was done."""
    UNREADABLE = "unreadable"
    """The entity's journal cannot be read by this context: unknown event type or undecodable data."""
    OUTCOME_UNKNOWN = "outcome-unknown"
    """The deadline passed while the commit was under way: retry with the same key."""


class Accepted(msgspec.Struct, frozen=True):
    """The command was decided and its events are committed."""

    version: int
    body: bytes
    """JSON: ``{"version":N,"position":"<context>/<shard>:<seq>","events":[...]}``."""
    changed: bool = True
    """False when the command found nothing to do."""
    replayed: bool = False
    """True when the first answer to the same key was given again."""


class Shown(msgspec.Struct, frozen=True):
    """A state, or a part of one, at a committed version."""

    version: int
    body: bytes
    """JSON: ``{"version":N,"position":"<context>/<shard>:<seq>","state":{...}}``."""


class Rejected(msgspec.Struct, frozen=True):
    """The domain said no, on a committed version."""

    version: int
    rejection: Rejection
    replayed: bool = False


class Absent(msgspec.Struct, frozen=True):
    """A query found no such entity, or no such part of it."""

    version: int


class Refused(msgspec.Struct, frozen=True):
    """The ask was not answered by the domain, for ``reason``."""

    reason: Reason
    detail: str = ""
    retry_after: float | None = None
    """Seconds after which another try makes sense, where that can be said."""


Answer = Accepted | Shown | Rejected | Absent | Refused


class Ask(msgspec.Struct):
    """One command or query on its way to an entity; ``reply`` is called exactly once, on the loop.

    With ``command`` None it is a query of the state, or of ``part(state, *arguments)``."""

    aggregate: str
    id: str
    command: Command | None
    deadline: float
    """On the loop's clock, in seconds. Past it nothing is decided."""
    reply: Callable[[Answer], object]
    by: Principal = ANONYMOUS
    key: bytes | None = None
    """16 bytes: the idempotency key with its scope, hashed."""
    fingerprint: bytes | None = None
    """8 bytes: the payload, hashed; given with ``key``."""
    expected: int | None = None
    """The version the caller saw (If-Match); 0: the entity must not exist yet (If-None-Match: *)."""
    trace: str | None = None
    part: Callable[..., Any] | None = None
    arguments: tuple[str, ...] = ()
    command_id: bytes | None = None
    """16 bytes, given by the region that sent the ask to another worker: it may come twice."""
    attempt: int = 0
    """How many times it was sent to an owner that never answered: the journal may have its events."""
    relayed: bool = False
    """It came from another worker, which sends it on itself when the shard is not here."""
    decided: bool = False
    """Set when the entity has decided: from then on a passed deadline means an unknown outcome."""
