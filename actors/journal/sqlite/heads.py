"""What one process remembers of the file: epochs, the sequences of its shards, and how far everything is."""

from collections.abc import Iterable, Sequence

import apsw
import msgspec

from actors.journal.port import Corrupted, Row
from actors.journal.sqlite.connection import select
from actors.journal.sqlite.statements import sql
from actors.journal.sqlite.tail import Key, Located, Placed, Tail

_CHUNK = 10_000

_pairs = msgspec.json.Decoder(list[tuple[int, int]])
_located = msgspec.json.Decoder(list[Located])

Followers = tuple[list[Placed], dict[int, int]]
"""Events, and the last sequences of their shards."""


class Heads:
    """Made and used on the writer's thread, but for ``tail``, which is shared with the reader.

    A shard is *held* from the moment its newest events were read here. Its sequence and its part of the tail
    are right for as long as its epoch is the held one: nobody else may append to it under that epoch."""

    def __init__(self, connection: apsw.Connection, stretch: int) -> None:
        self._connection = connection
        self.tail = Tail(stretch)
        self.generation = -1
        self.epochs: dict[int, int] = {}
        """As of ``generation``."""
        self.held: dict[int, int] = {}
        self.sequences: dict[int, int] = {}
        self.indexed = 0
        """The indexes reach at least to this position."""
        self.last = 0
        """The last position known, whoever wrote it."""

    def look(self) -> None:
        """Read what is common to all shards; let go of those that others have claimed."""
        [(generation, indexed, last, epochs)] = select(self._connection, sql("heads"))
        self.generation, self.epochs = generation, dict(_pairs.decode(epochs))
        self.moved(indexed, last)
        for shard in [s for s, epoch in self.held.items() if self.epochs.get(s) != epoch]:
            del self.held[shard], self.sequences[shard]

    def progress(self) -> None:
        """One cheap read: how far the indexes and the events are by now."""
        [(indexed, last)] = select(self._connection, sql("progress"))
        self.moved(indexed, last)

    def moved(self, indexed: int, last: int) -> None:
        """The indexes reach to ``indexed`` at least, events to ``last``."""
        self.last = max(self.last, last)
        if indexed > self.indexed:
            self.indexed = indexed
            self.tail.forget(indexed)

    def hold(self, shards: Iterable[int]) -> None:
        """Read the newest events of these shards, which are held under their known epochs from now on.

        Raises ``Corrupted`` if they are not in sequence."""
        wanted = list(shards)
        numbers = msgspec.json.encode(wanted).decode()
        connection = self._connection
        connection.execute("BEGIN")
        try:
            [(text,)] = select(connection, sql("sequences"), (numbers,))
            sequences = dict(_pairs.decode(text))
            found = self._unindexed(numbers)
        finally:
            connection.execute("COMMIT")
        newest = _in_sequence(found)
        self.tail.replace(wanted, found)
        for shard in wanted:
            indexed = sequences.get(shard, 0)
            if newest.get(shard, indexed) < indexed:
                raise Corrupted(f"shard {shard} ends at sequence {newest[shard]}, its index at {indexed}")
            self.held[shard] = self.epochs.get(shard, 0)
            self.sequences[shard] = newest.get(shard, indexed)

    def _unindexed(self, numbers: str) -> list[Located]:
        found: list[Located] = []
        after = self.indexed
        while True:
            [(text,)] = select(self._connection, sql("tail"), (after, numbers, _CHUNK))
            rows = _located.decode(text)
            found += rows
            if len(rows) < _CHUNK:
                return found
            after = rows[-1][0]

    def follows(self, rows: Sequence[Row]) -> Followers:
        """Where ``rows``, which are of held shards, belong. Raises ``Corrupted`` if they do not follow what
        is there."""
        placed: list[Placed] = []
        sequences: dict[int, int] = {}
        versions: dict[Key, int | None] = {}
        recent, version_of, known = self.tail.recent(), self.tail.version_of, self.sequences
        for row in rows:
            # A slice of five: a starred rest makes a list of each row's other columns.
            shard, seq, aggregate, id, version = row[:5]
            before = sequences.get(shard) or known[shard]
            if seq != before + 1:
                raise _out_of_order(row, f"sequence {before + 1} comes next in the shard")
            sequences[shard] = seq
            key = (aggregate, id)
            of_entity = recent.get(key)
            newest = versions.get(key)
            if newest is None:
                newest = version_of(key) if of_entity is None else of_entity[0] + len(of_entity) - 2
            if newest is not None and version != newest + 1:
                raise _out_of_order(row, f"version {newest + 1} comes next")
            versions[key] = version
            placed.append((shard, seq, key, version, of_entity))
        return placed, sequences

    def appended(self, followers: Followers, last: int) -> None:
        """Those are committed, the last of them at position ``last``."""
        placed, sequences = followers
        self.tail.add(last - len(placed) + 1, placed)
        self.sequences.update(sequences)
        self.last = max(self.last, last)


def _in_sequence(events: Iterable[Located]) -> dict[int, int]:
    """The last sequence of each shard. Raises ``Corrupted`` if one is missing or there twice."""
    newest: dict[int, int] = {}
    for _, shard, seq, aggregate, id, _ in events:
        if seq != newest.get(shard, seq - 1) + 1:
            raise Corrupted(f"{aggregate}/{id} at {shard}:{seq} follows {shard}:{newest[shard]}")
        newest[shard] = seq
    return newest


def _out_of_order(row: Row, expected: str) -> Corrupted:
    return Corrupted(
        f"{row.aggregate}/{row.id} version {row.version} at {row.shard}:{row.seq} is out of order: {expected}"
    )
