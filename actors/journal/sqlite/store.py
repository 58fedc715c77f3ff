"""Appending and claiming on one connection, on one thread, beside the other processes of the node.

What the file says of epochs and sequences is held in memory. That it still holds is checked inside each
commit: the statement inserts nothing if any claim has raised the generation since; then the epochs are read
again. What others append changes nothing here: SQLite numbers the positions, and no one else may append to a
shard while its epoch is the held one. That keeps (shard, seq) unique; a process that broke this rule would be
found out by the index, see ``indexer``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from actors.journal.port import Claim, JournalUnavailable, Row, Snapshot
from actors.journal.sqlite.connection import open_gathering, select
from actors.journal.sqlite.failures import failure
from actors.journal.sqlite.heads import Heads
from actors.journal.sqlite.statements import COLUMNS, ROWS_PER_STATEMENT, insert_of, size_for, sql
from actors.journal.sqlite.turn import Turn

_PADDING = (None,) * COLUMNS
_TRIES = 100
"""How often an append may find that another process has claimed meanwhile."""

Statements = list[tuple[int, list[Any]]]
"""(prepared size, parameters but for the generation)."""


class Store:
    """The writer's view of the file."""

    def __init__(self, path: Path, shards: int, lock_seconds: float, stretch: int) -> None:
        self.turn = Turn(path)
        try:
            self.connection, self.shards = open_gathering(path, lock_seconds, shards, self.turn)
        except BaseException:
            self.turn.close()
            raise
        self.heads = Heads(self.connection, stretch)
        self._doubtful = False
        self._full_sync = True
        try:
            self._reading(self.heads.look)
        except BaseException:
            self.close()
            raise

    def hold_all(self) -> None:
        """Read the newest events of all shards, as if they were all this process's."""
        self._reading(self.heads.look)
        self._reading(lambda: self.heads.hold(range(self.shards)))

    def progress(self) -> None:
        """See ``Heads.progress``."""
        self._reading(self.heads.progress)

    def claim(
        self,
        shards: Sequence[int],
        owner: str,
        begin: Callable[[], None],
        after: Mapping[int, int] | None = None,
    ) -> list[Claim]:
        """Raise the epochs of ``shards`` in one transaction, but for those that have another than ``after``
        says; ``begin`` is called when it is this process's turn."""
        if any(not 0 <= shard < self.shards for shard in shards):
            raise ValueError(f"shards are numbered 0 to {self.shards - 1}")
        heads = self.heads
        wanted = [(shard, None if after is None else after[shard]) for shard in shards]
        try:
            self._sync(full=True)
            with self.turn:
                begin()
                self._roll_back()
                self.connection.execute("BEGIN IMMEDIATE")
                epochs = dict(select(self.connection, sql("claim"), (_json(wanted), owner)))
                if epochs:
                    self.connection.execute("UPDATE journal SET generation = generation + 1")
                self.connection.execute("COMMIT")
        except apsw.Error as error:
            self._roll_back()
            # A claim that did take effect unseen is harmless: the next one is higher still.
            raise failure(error, writing=False) from error
        if not epochs:
            return []
        self._reading(heads.look)
        # Where another has claimed meanwhile the newer epoch is held, so that this claim is fenced.
        self._reading(lambda: heads.hold(epochs))
        return [Claim(shard, epochs[shard], heads.sequences[shard]) for shard in shards if shard in epochs]

    def release(self, epochs: Mapping[int, int], begin: Callable[[], None]) -> None:
        """Say that nobody owns the shards whose epochs are still these. They stay held, as an append under
        them may still come."""
        try:
            self._sync(full=True)
            with self.turn:
                begin()
                self._roll_back()
                self.connection.execute(sql("release"), (_json(list(epochs.items())),))
        except apsw.Error as error:
            # Done again it changes nothing, so it does not matter whether this one took effect.
            raise failure(error, writing=False) from error

    def append(
        self,
        rows: Sequence[Row],
        epochs: Mapping[int, int],
        snapshots: Sequence[Snapshot],
        begin: Callable[[], None],
    ) -> frozenset[int]:
        """Commit; returns the fenced shards. See ``port.Journal.append``; ``begin`` as in ``claim``."""
        for _ in range(_TRIES):
            if self._doubtful:
                self._read_again()
            fenced = self._fenced(epochs)
            if fenced:
                rows = [row for row in rows if row.shard not in fenced]
                snapshots = [one for one in snapshots if one.shard not in fenced]
            if not rows and not snapshots:
                if not self._claimed_since():
                    return fenced
            elif self._commit(rows, snapshots, begin):
                return fenced
            self._reading(self.heads.look)
        raise JournalUnavailable("other processes keep claiming shards of the journal")

    def _fenced(self, epochs: Mapping[int, int]) -> frozenset[int]:
        held = self.heads.held
        fenced = frozenset(shard for shard, epoch in epochs.items() if held.get(shard) != epoch)
        if not fenced:
            return fenced
        self._reading(self.heads.look)
        known = self.heads.epochs
        # Claimed by whoever had this file open before and has ended.
        unread = [shard for shard in fenced if shard not in held and known.get(shard) == epochs[shard]]
        if unread:
            self._reading(lambda: self.heads.hold(unread))
        return frozenset(shard for shard, epoch in epochs.items() if held.get(shard) != epoch)

    def _commit(self, rows: Sequence[Row], snapshots: Sequence[Snapshot], begin: Callable[[], None]) -> bool:
        """True if committed, False if others have claimed since the epochs were read."""
        followers = self.heads.follows(rows)
        statements = _statements(rows)
        last: int | None = None
        try:
            self._sync(full=True)
            with self.turn:
                begin()
                try:
                    last = self._write(statements, snapshots)
                finally:
                    if last is None:
                        self._roll_back()
        except apsw.Error as error:
            self._doubtful = not isinstance(error, apsw.BusyError)
            raise failure(error, writing=True) from error
        if last is not None:
            self.heads.appended(followers, last)
        return last is not None

    def _write(self, statements: Statements, snapshots: Sequence[Snapshot]) -> int | None:
        """The last row's position (any number without rows); None if others have claimed."""
        connection, generation = self.connection, self.heads.generation
        single = len(statements) == 1 and not snapshots
        if not single:
            connection.execute("BEGIN IMMEDIATE")
        for size, values in statements:
            values.append(generation)
            connection.execute(insert_of(size), values)
            if connection.changes() == 0:
                return None
        last = connection.last_insert_rowid()
        if snapshots:
            if not statements and self._claimed_since():
                return None
            connection.executemany(sql("snapshot"), snapshots)
        if not single:
            connection.execute("COMMIT")
        return last if statements else 0

    def _claimed_since(self) -> bool:
        try:
            [(generation,)] = select(self.connection, "SELECT generation FROM journal")
        except apsw.Error as error:
            raise failure(error, writing=False) from error
        return bool(generation != self.heads.generation)

    def _read_again(self) -> None:
        """After a failed write nothing remembered is relied on."""
        self._roll_back()
        self._reading(self.heads.look)
        held = list(self.heads.held)
        self._reading(lambda: self.heads.hold(held))
        self._doubtful = False

    def _reading(self, read: Callable[[], None]) -> None:
        try:
            read()
        except apsw.Error as error:
            raise failure(error, writing=False) from error

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            try:
                self.connection.execute("ROLLBACK")
            except apsw.Error:
                # Rolled back already by SQLite; the next write begins by making sure.
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
            self._roll_back()
            raise failure(error, writing=False) from error

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()
        self.turn.close()


def _json(pairs: Sequence[tuple[int, int | None]]) -> str:
    return msgspec.json.encode(pairs).decode()


def _statements(rows: Sequence[Row]) -> Statements:
    made: Statements = []
    for begin in range(0, len(rows), ROWS_PER_STATEMENT):
        part = rows[begin : begin + ROWS_PER_STATEMENT]
        values: list[Any] = []
        for row in part:
            values += row
        size = size_for(len(part))
        values += _PADDING * (size - len(part))
        made.append((size, values))
    return made
