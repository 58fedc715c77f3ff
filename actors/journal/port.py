"""The journal's port: the append-only store of one context's events, and what every adapter promises.

Promises (``tests/actors/journal/conformance.py`` holds every adapter to them):

- ``claim`` raises a shard's epoch in one transaction; every later append under an older epoch is fenced. One
  that names the epochs it follows leaves out the shards that somebody else has claimed since.
- Who owns a shard is in the journal too: ``tenures`` tells it, ``release`` ends it.
- ``append`` is one transaction for several shards. Each shard's rows and snapshots go in only if its epoch
  still holds; a fenced shard does not spoil the others.
- (shard, seq) and (aggregate, id, version) are unique; a violation is ``Corrupted``, never retried.
- Readers see committed rows only, per shard without gaps.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar


class Row(NamedTuple):
    """One stored event. Field names are column names: rename only with a migration."""

    shard: int
    seq: int
    aggregate: str
    id: str
    version: int
    type: str
    """Event class name, with ``@<schema>`` from schema version 2 on."""
    command_id: bytes
    """16 bytes: the idempotency key's scope hashed, or the worker's own number for an unkeyed command."""
    fingerprint: bytes | None
    """8 bytes that tell another payload under the same key; None for an unkeyed command."""
    at: int
    """Microseconds since 1970-01-01T00:00:00Z."""
    by: str
    """The principal's subject."""
    trace: str | None
    """W3C ``traceparent`` of the request, if it had one."""
    data: bytes
    """The event's fields as a MessagePack map; instants are RFC 3339 text."""


class Snapshot(NamedTuple):
    """An entity's state at a committed version, so that a replay may begin there."""

    shard: int
    aggregate: str
    id: str
    version: int
    seq: int
    """The shard's sequence of the event that made this version."""
    fingerprint: bytes
    """8 bytes that tell the state's type; another type's snapshot is ignored."""
    data: bytes


class Claim(NamedTuple):
    """A shard is owned: appends go under ``epoch`` and continue after ``last_seq`` (0: empty)."""

    shard: int
    epoch: int
    last_seq: int


class Tenure(NamedTuple):
    """Whose a shard is by the journal's word."""

    shard: int
    epoch: int
    """0 if nobody has ever claimed it."""
    owner: str
    """Empty when it has none: released, or never claimed."""


class JournalError(Exception):
    """The journal failed."""


class JournalUnavailable(JournalError):
    """Nothing was written: the store cannot be reached or is locked by someone else."""


class JournalFull(JournalError):
    """Nothing was written: no space, or the store is read-only."""


class OutcomeUnknown(JournalError):
    """The append may or may not have been committed. Claim again, then read."""


class Corrupted(JournalError):
    """A uniqueness rule was violated, or stored bytes make no sense. Not to be retried."""


class DataDirectoryInUse(JournalError):
    """Another process has this data directory open."""


T = TypeVar("T")

Fold = Callable[[Snapshot | None, Iterable[Row]], T]
"""What is made of an entity's snapshot and the rows after it; pure, it may run on any thread."""


class Feed(Protocol):
    """All shards of a context, read on from where the last reading ended."""

    async def read(self, limit: int) -> list[Row]:
        """At most ``limit`` rows that were not read before, each shard's by sequence and without a gap; none
        when there are none now. Between shards there is no order. Raises ``JournalUnavailable``."""


class Journal(Protocol):
    """One context's journal. All methods are called from one asyncio loop.

    Every method may raise ``JournalUnavailable``; ``append`` also ``JournalFull``, ``OutcomeUnknown`` and
    ``Corrupted``."""

    @property
    def shards(self) -> int:
        """How many shards the journal was made with; fixed for its life."""

    async def claim(
        self, shards: Sequence[int], owner: str, after: Mapping[int, int] | None = None
    ) -> list[Claim]:
        """Raise the epochs of these shards for ``owner``; waits for appends in flight.

        ``after`` names the epoch that each of them is known to have: one that has another by now is left
        alone and left out of the answer. Without it the claim is unconditional, which is for who is sure to
        be alone. Raises ValueError for a shard beyond the number."""

    async def tenures(self) -> list[Tenure]:
        """Whose every shard is, by number."""

    async def release(self, epochs: Mapping[int, int]) -> None:
        """Say that nobody owns these shards any more; one whose epoch is another by now is left alone. The
        epoch stays: an append that is still under way under it may land, and a claim waits for it."""

    async def append(
        self, rows: Sequence[Row], epochs: Mapping[int, int], snapshots: Sequence[Snapshot] = ()
    ) -> frozenset[int]:
        """Commit durably; returns the fenced shards, whose rows and snapshots were left out.

        ``epochs`` holds every shard of ``rows`` and ``snapshots``."""

    async def replay(self, aggregate: str, id: str, fold: Fold[T]) -> T:
        """``fold`` of the newest snapshot that is not ahead of the journal and the rows after it, by
        version, run off the loop. What ``fold`` raises is raised here."""

    async def replay_all(self, aggregate: str, id: str, fold: Fold[T], upto: int | None = None) -> T:
        """``fold`` without a snapshot, of the rows up to and with version ``upto``, run off the loop."""

    async def history(self, aggregate: str, id: str, after: int, limit: int) -> list[Row]:
        """At most ``limit`` rows of an entity with versions above ``after``, by version."""

    async def feed(self, shard: int, after: int, limit: int) -> list[Row]:
        """At most ``limit`` rows of a shard with sequences above ``after``, by sequence."""

    def follow(self, after: Mapping[int, int]) -> Feed:
        """A feed of all shards, whoever appends to them, after these sequences; a shard that is not named is
        read from its first event on."""

    async def heads(self) -> dict[int, int]:
        """The last sequence of every shard that has events, whoever appends to it."""

    async def close(self) -> None:
        """Finish what is in flight and let go of files and threads."""
