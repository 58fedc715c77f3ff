"""An aggregate made ready to live: its rules, its codec and how its state is replayed."""

import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from actors.journal.codec import (
    EventCodec,
    UnreadableEvent,
    UnreadableSnapshot,
    decode_state,
    encode_state,
    state_fingerprint,
    unpack_snapshot,
)
from actors.journal.port import Row, Snapshot
from actors.keys import Keys, Use
from actors.manifest import AggregateManifest
from actors.replies import Recorded, Told, instant
from actors.settings import EntitySettings

logger = logging.getLogger(__name__)


class SnapshotIgnored(Exception):
    """The snapshot does not fit this state's type or cannot be decoded: replay everything."""


class ContextFault(Exception):
    """An author's code raised what is no ``Exception``, such as SystemExit: it must end no thread of ours."""


class Replayed(msgspec.Struct):
    """An entity as its journal tells it; version 0 if it has none."""

    state: Any
    version: int
    seq: int
    keys: Keys | None
    snapshot_version: int
    snapshot_bytes: int


class AggregateType:
    """What every entity of one aggregate shares. Immutable, and used from the journal's threads too."""

    def __init__(self, manifest: AggregateManifest, settings: EntitySettings) -> None:
        aggregate = manifest.aggregate
        self.name = aggregate.name
        self.decide = aggregate.decide
        self.evolve = aggregate.evolve
        self.takes_call = manifest.takes_call
        self.state = manifest.state
        self.settings = settings
        self.fingerprint = state_fingerprint(manifest.state)
        self.codec = EventCodec(manifest.events, aggregate.upcasters)
        self.names = {event: (event.__name__, self.codec.name(event)) for event in manifest.events}
        self._initial = encode_state(aggregate.initial)

    def initial(self) -> Any:
        """A state of its own for a new entity, since ``evolve`` may change it in place."""
        return decode_state(self._initial, self.state)

    def new_keys(self) -> Keys:
        """An empty memory of idempotency keys."""
        return Keys(self.settings.keys, int(self.settings.key_retention * 1e6))

    def fold(self, snapshot: Snapshot | None, rows: Iterable[Row]) -> Replayed:
        """An entity's state from its snapshot and the rows after it.

        Raises SnapshotIgnored, UnreadableEvent, or whatever exception ``evolve`` raises."""
        try:
            return self._fold(snapshot, rows)
        except Exception:
            raise
        except BaseException as error:
            raise ContextFault(repr(error)) from error

    def _fold(self, snapshot: Snapshot | None, rows: Iterable[Row]) -> Replayed:
        replayed = self._start(snapshot)
        evolve, decode = self.evolve, self.codec.decode
        state, version, keys = replayed.state, replayed.version, replayed.keys
        for row in rows:
            if row.version != version + 1:
                raise UnreadableEvent(f"version {row.version} follows {version}")
            state = evolve(state, decode(row.type, row.data))
            version = row.version
            replayed.seq = row.seq
            if row.fingerprint is not None:
                if keys is None:
                    keys = replayed.keys = self.new_keys()
                keys.remember(row.command_id, Use(row.fingerprint, version, version, row.at))
        replayed.state, replayed.version = state, version
        return replayed

    def _start(self, snapshot: Snapshot | None) -> Replayed:
        if snapshot is None:
            return Replayed(self.initial(), 0, 0, None, 0, 0)
        if snapshot.fingerprint != self.fingerprint:
            raise SnapshotIgnored("its state has another type")
        try:
            state_bytes, rows = unpack_snapshot(snapshot.data)
            state = decode_state(state_bytes, self.state)
        except UnreadableSnapshot as error:
            raise SnapshotIgnored(str(error)) from error
        keys = None
        if rows:
            keys = self.new_keys()
            for key, fingerprint, first, last, at in rows:
                keys.remember(key, Use(fingerprint, first, last, at))
        version = snapshot.version
        return Replayed(state, version, snapshot.seq, keys, version, len(snapshot.data))

    def recorded(self, row: Row) -> Recorded:
        """A stored event as the outside sees it; raises UnreadableEvent."""
        try:
            event = self.codec.decode(row.type, row.data)
        except UnreadableEvent:
            raise
        except BaseException as error:
            raise UnreadableEvent(f"{row.type}: its upcaster failed: {error!r}") from error
        return Recorded(row.version, self.names[type(event)][0], instant(row.at), event)

    def told(self, row: Row, position: str) -> Told:
        """A stored event as its history tells it; raises UnreadableEvent."""
        event = self.recorded(row)
        return Told(
            version=event.version,
            type=event.type,
            at=event.at,
            by=row.by,
            command=row.command_id.hex(),
            position=position,
            data=event.data,
            trace=row.trace or msgspec.UNSET,
        )
