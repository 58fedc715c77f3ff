"""Appending and claiming on one connection, on one thread.

What the file says of epochs and sequences is held in memory. That it still holds is checked inside each
commit: the statement inserts nothing if any claim has raised the generation since, and an event of another
process has taken the position the first row is meant for. Either way the file is read again.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from actors.journal.port import Claim, Corrupted, JournalError, JournalUnavailable, Row, Snapshot
from actors.journal.sqlite.connection import open_gathering, select
from actors.journal.sqlite.failures import failure
from actors.journal.sqlite.statements import COLUMNS, ROWS_PER_STATEMENT, insert_of, size_for, sql
from actors.journal.sqlite.tail import Tail

_PADDING = (None,) * COLUMNS
_TAIL_CHUNK = 10_000
_TRIES = 100
"""How often an append may find that another process has written meanwhile."""

_pairs = msgspec.json.Decoder(list[tuple[int, int]])
_located = msgspec.json.Decoder(list[tuple[int, int, int, str, str, int]])


class Store:
    """The writer's view of the file. ``tail`` is shared with the reader."""

    def __init__(self, path: Path, shards: int, lock_seconds: float) -> None:
        self.connection, self.shards = open_gathering(path, lock_seconds, shards)
        self.tail = Tail()
        self.indexed = 0
        self.last = 0
        self.refreshed = 0
        self._generation = 0
        self._epochs: dict[int, int] = {}
        self._sequences: dict[int, int] = {}
        self._doubtful = True
        self._full_sync = True
        self.refresh()

    def refresh(self) -> None:
        """Read epochs, sequences and the tail from the file."""
        try:
            self._read()
        except apsw.Error as error:
            raise failure(error, writing=False) from error

    def _read(self) -> None:
        connection = self.connection
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("BEGIN")
        try:
            [(generation, indexed, epochs, sequences)] = select(connection, sql("heads"))
            tail, last = Tail(), indexed
            known = dict(_pairs.decode(sequences))
            while True:
                [(text,)] = select(connection, sql("tail"), (last, _TAIL_CHUNK))
                rows = _located.decode(text)
                for position, shard, seq, aggregate, id, version in rows:
                    tail.add(position, shard, seq, aggregate, id, version)
                    known[shard] = max(seq, known.get(shard, 0))
                    last = position
                if len(rows) < _TAIL_CHUNK:
                    break
        finally:
            connection.execute("COMMIT")
        self._generation, self.indexed, self.last = generation, indexed, last
        self._epochs, self._sequences = dict(_pairs.decode(epochs)), known
        self.tail.become(tail)
        self.refreshed += 1
        self._doubtful = False

    def claim(self, shards: Sequence[int], owner: str) -> list[Claim]:
        """Raise the epochs of ``shards`` in one transaction."""
        if any(not 0 <= shard < self.shards for shard in shards):
            raise ValueError(f"shards are numbered 0 to {self.shards - 1}")
        connection = self.connection
        try:
            self._sync(full=True)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            numbers = msgspec.json.encode(list(shards)).decode()
            connection.execute(sql("claim"), (numbers, owner))
            connection.execute("UPDATE journal SET generation = generation + 1")
            connection.execute("COMMIT")
        except apsw.Error as error:
            self._abandon()
            # A claim that did take effect unseen is harmless: the next one is higher still.
            known = failure(error, writing=False)
            raise known from error
        self.refresh()
        return [Claim(shard, self._epochs[shard], self._sequences.get(shard, 0)) for shard in shards]

    def append(
        self, rows: Sequence[Row], epochs: Mapping[int, int], snapshots: Sequence[Snapshot]
    ) -> frozenset[int]:
        """Commit; returns the fenced shards. See ``port.Journal.append``."""
        for _ in range(_TRIES):
            if self._doubtful:
                self.refresh()
            fenced = frozenset(s for s, epoch in epochs.items() if self._epochs.get(s, 0) != epoch)
            if fenced and self._claimed_since():
                self._doubtful = True
                continue
            if fenced:
                rows = [row for row in rows if row.shard not in fenced]
                snapshots = [one for one in snapshots if one.shard not in fenced]
            if not rows and not snapshots:
                return fenced
            try:
                if self._commit(rows, snapshots):
                    return fenced
            except apsw.Error as error:
                raise failure(error, writing=True) from error
            finally:
                if self._doubtful:
                    self._abandon()
        raise JournalUnavailable("another process keeps writing to the journal")

    def _commit(self, rows: Sequence[Row], snapshots: Sequence[Snapshot]) -> bool:
        """True if committed, False if the file is not as remembered. In doubt until the end."""
        self._doubtful = True
        parameters = self._number(rows)
        self._sync(full=True)
        connection = self.connection
        single = len(parameters) == 1 and not snapshots
        if not single:
            connection.execute("BEGIN IMMEDIATE")
        try:
            for size, values in parameters:
                connection.execute(insert_of(size), values)
                if connection.changes() == 0:
                    return False
        except apsw.ConstraintError:
            if self._position_taken():
                return False
            raise
        if snapshots:
            if not rows and self._claimed_since():
                return False
            connection.executemany(sql("snapshot"), snapshots)
        if not single:
            connection.execute("COMMIT")
        self.last += len(rows)
        self._doubtful = False
        return True

    def _number(self, rows: Sequence[Row]) -> list[tuple[int, list[Any]]]:
        """Statements' sizes and parameters; the tail and sequences move on as if committed."""
        statements, position = [], self.last
        sequences, add = self._sequences, self.tail.add
        for begin in range(0, len(rows), ROWS_PER_STATEMENT):
            part = rows[begin : begin + ROWS_PER_STATEMENT]
            values: list[Any] = []
            for row in part:
                position += 1
                shard, seq, aggregate, id, version, *_ = row
                if seq != sequences.get(shard, 0) + 1:
                    raise _out_of_order(
                        row, f"sequence {sequences.get(shard, 0) + 1} comes next in the shard"
                    )
                sequences[shard] = seq
                before = add(position, shard, seq, aggregate, id, version)
                if before is not None and version != before + 1:
                    raise _out_of_order(row, f"version {before + 1} comes next")
                values.append(position)
                values += row
            size = size_for(len(part))
            values += _PADDING * (size - len(part))
            values.append(self._generation)
            statements.append((size, values))
        return statements

    def _position_taken(self) -> bool:
        return bool(select(self.connection, "SELECT 1 FROM events WHERE position > ? LIMIT 1", (self.last,)))

    def _claimed_since(self) -> bool:
        return select(self.connection, "SELECT generation FROM journal") != [(self._generation,)]

    def _abandon(self) -> None:
        self._doubtful = True
        if self.connection.in_transaction:
            try:
                self.connection.execute("ROLLBACK")
            except apsw.Error:
                # Rolled back already by SQLite; the next refresh begins by making sure.
                return

    def _sync(self, *, full: bool) -> None:
        """Index work need not reach the disk by itself: the next append's sync takes it along."""
        if full != self._full_sync:
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._full_sync = full

    def index(self, statement: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement of the indexer, outside any append's transaction."""
        try:
            self._sync(full=False)
            return select(self.connection, statement, tuple(parameters))
        except apsw.Error as error:
            if self.connection.in_transaction:
                self._abandon()
            raise failure(error, writing=False) from error

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()


def _out_of_order(row: Row, expected: str) -> JournalError:
    return Corrupted(
        f"{row.aggregate}/{row.id} version {row.version} at {row.shard}:{row.seq} is out of order: {expected}"
    )
