"""Reading on one connection, on one thread: replays are answered many at a time.

Each query answers with a single row: its metadata as JSON and all byte strings in one. A query that gave
a row per event would let the interpreter lock go at every event and wait for it behind the busy loop.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec

from actors.journal.port import Corrupted, Row, Snapshot, Tenure
from actors.journal.sqlite.connection import open_reader, select
from actors.journal.sqlite.failures import failure
from actors.journal.sqlite.statements import sql
from actors.journal.sqlite.tail import Tail

_log = logging.getLogger(__name__)

CHUNK = 1_000
"""Versions of one entity that a query answers at most."""

_snapshots = msgspec.json.Decoder(list[tuple[int, int, int, int, int, int]])
_events = msgspec.json.Decoder(
    list[tuple[int, int, int, int, str, int, str, str | None, int, int | None, int]]
)
_shard_events = msgspec.json.Decoder(
    list[tuple[str, str, int, int, str, int, str, str | None, int, int | None, int]]
)
_pairs: msgspec.json.Decoder[list[tuple[int, int]]] = msgspec.json.Decoder(list[tuple[int, int]])
_tenures = msgspec.json.Decoder(list[Tenure])

T = TypeVar("T")

Wanted = tuple[str, str, int, int]
"""(aggregate, id, first version, last version)."""


class Replay:
    """A replay to be done with others: ``fold`` of the snapshot, if any, and the rows after it."""

    __slots__ = ("aggregate", "fold", "id")

    def __init__(self, aggregate: str, id: str, fold: Callable[..., Any]) -> None:
        self.aggregate = aggregate
        self.id = id
        self.fold = fold


class Reader:
    """Queries over what is committed. Every method may raise ``JournalError``."""

    def __init__(self, path: Path, tail: Tail, lock_seconds: float) -> None:
        self._connection = open_reader(path, lock_seconds)
        self._tail = tail

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def replays(self, replays: Sequence[Replay]) -> list[Callable[[], Any]]:
        """One call per replay, which folds it; together they take two queries."""
        found = self._snapshots([(one.aggregate, one.id) for one in replays])
        # From the snapshot's own version on: its event proves that it is not ahead of the journal.
        starts = [one.version if one else 1 for one in found]
        rows = self._rows(
            [
                (one.aggregate, one.id, start, start + CHUNK - 1)
                for one, start in zip(replays, starts, strict=True)
            ]
        )
        return [
            self._folding(one, snapshot, start, of_one)
            for one, snapshot, start, of_one in zip(replays, found, starts, rows, strict=True)
        ]

    def _folding(
        self, replay: Replay, snapshot: Snapshot | None, start: int, rows: list[Row]
    ) -> Callable[[], Any]:
        more = self._after(replay.aggregate, replay.id, start + CHUNK) if len(rows) == CHUNK else ()
        if snapshot is None:
            return lambda: replay.fold(None, _chain(rows, more))
        if rows and rows[0].version == snapshot.version and rows[0].seq == snapshot.seq:
            return lambda: replay.fold(snapshot, _chain(rows[1:], more))
        _warn_of(replay, snapshot)
        return lambda: replay.fold(None, self._after(replay.aggregate, replay.id, 1))

    def replay_all(self, aggregate: str, id: str, fold: Callable[..., Any], upto: int | None) -> Any:
        """``fold`` without a snapshot of the rows up to version ``upto``."""
        return fold(None, self._after(aggregate, id, 1, upto))

    def history(self, aggregate: str, id: str, after: int, limit: int) -> list[Row]:
        """At most ``limit`` rows with versions above ``after``."""
        return list(self._after(aggregate, id, after + 1, after + limit)) if limit > 0 else []

    def feed(self, shard: int, after: int, limit: int) -> list[Row]:
        """At most ``limit`` rows of a shard with sequences above ``after``."""
        return self._of_shard(shard, after, limit, self._tail.of_shard)

    def indexed(self, shard: int, after: int, limit: int) -> list[Row]:
        """The same of what is indexed, whoever wrote it."""
        return self._of_shard(shard, after, limit, lambda shard, first, last: [])

    def indexed_heads(self, shards: int) -> dict[int, int]:
        """The last indexed sequence of each of this many shards that has one."""
        (text,) = self.query("sequences", (msgspec.json.encode(list(range(shards))).decode(),))
        pairs: list[tuple[int, int]] = _decoded(_pairs, text)
        return dict(pairs)

    def progress(self) -> tuple[int, int]:
        """How far the indexes reach, and the last position."""
        indexed, last = self.query("progress", ())
        return indexed, last

    def _of_shard(
        self, shard: int, after: int, limit: int, unindexed: Callable[[int, int, int], list[int]]
    ) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < limit:
            first = after + 1 + len(rows)
            last = min(first + CHUNK - 1, after + limit)
            # Asked before the query: what it does not know is in the indexes that the query sees.
            positions = msgspec.json.encode(unindexed(shard, first, last)).decode()
            text, blob = self.query("events_of_shard", (shard, first, last, positions))
            begin = 0
            for aggregate, id, seq, version, type, at, by, trace, key, mark, size in _decoded(
                _shard_events, text
            ):
                command_id, fingerprint, data, begin = _cut(blob, begin, key, mark, size)
                rows.append(
                    Row(
                        shard, seq, aggregate, id, version, type, command_id, fingerprint, at, by, trace, data
                    )
                )
            if not rows or rows[-1].seq < last:
                break
        return rows

    def tenures(self, shards: int) -> list[Tenure]:
        """Whose each of this many shards is."""
        (text,) = self.query("tenures", ())
        known = {tenure.shard: tenure for tenure in _decoded(_tenures, text)}
        return [known.get(shard) or Tenure(shard, 0, "") for shard in range(shards)]

    def _after(self, aggregate: str, id: str, first: int, last: int | None = None) -> Iterator[Row]:
        """Rows from version ``first`` on, asked for chunk by chunk as they are consumed."""
        while last is None or first <= last:
            end = first + CHUNK - 1
            [rows] = self._rows([(aggregate, id, first, end if last is None else min(end, last))])
            yield from rows
            if len(rows) < CHUNK:
                return
            first += CHUNK

    def _snapshots(self, keys: list[tuple[str, str]]) -> list[Snapshot | None]:
        found: list[Snapshot | None] = [None] * len(keys)
        text, blob = self.query("snapshots_of", (msgspec.json.encode(keys).decode(),))
        begin = 0
        for n, shard, version, seq, mark, size in _decoded(_snapshots, text):
            middle, end = begin + mark, begin + mark + size
            found[n] = Snapshot(shard, *keys[n], version, seq, blob[begin:middle], blob[middle:end])
            begin = end
        return found

    def _rows(self, wanted: list[Wanted]) -> list[list[Row]]:
        """The rows of each; the tail is asked before the query, see ``tail``."""
        recent = [(n, position) for n, one in enumerate(wanted) for position in self._tail.of_entity(*one)]
        parameters = [msgspec.json.encode(wanted).decode()]
        if recent:
            parameters.append(msgspec.json.encode(recent).decode())
        text, blob = self.query("events_of_with_recent" if recent else "events_of", tuple(parameters))
        found: list[list[Row]] = [[] for _ in wanted]
        begin, make = 0, tuple.__new__  # Row(...) takes twice as long
        for n, shard, seq, version, type, at, by, trace, key, mark, size in _decoded(_events, text):
            aggregate, id, _, _ = wanted[n]
            middle = begin + key
            after = middle if mark is None else middle + mark
            end = after + size
            fingerprint = None if mark is None else blob[middle:after]
            key_bytes, data = blob[begin:middle], blob[after:end]
            columns = (shard, seq, aggregate, id, version, type, key_bytes, fingerprint, at, by, trace, data)
            found[n].append(make(Row, columns))
            begin = end
        return found

    def query(self, name: str, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        """The one row of ``<name>.sql``."""
        try:
            [row] = select(self._connection, sql(name), parameters)
        except apsw.Error as error:
            raise failure(error, writing=False) from error
        except UnicodeDecodeError as error:
            raise Corrupted(f"stored text makes no sense: {error}") from error
        return row


def _warn_of(replay: Replay, snapshot: Snapshot) -> None:
    why = f"the journal has no event {snapshot.version} of it at {snapshot.shard}:{snapshot.seq}"
    fields = {"aggregate": replay.aggregate, "id": replay.id, "why": why}
    _log.warning("snapshot ignored, replaying everything", extra={"fields": fields})


def _decoded(decoder: msgspec.json.Decoder[T], text: str) -> T:
    try:
        return decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise Corrupted(f"stored columns make no sense: {error}") from error


def _cut(
    blob: bytes, begin: int, key: int, mark: int | None, size: int
) -> tuple[bytes, bytes | None, bytes, int]:
    """(command_id, fingerprint, data, where the next row begins) of a row's part of ``blob``."""
    middle = begin + key
    after = middle + (mark or 0)
    end = after + size
    return blob[begin:middle], blob[middle:after] if mark is not None else None, blob[after:end], end


def _chain(rows: list[Row], more: Iterable[Row]) -> Iterable[Row]:
    if not more:
        return rows
    return _both(rows, more)


def _both(rows: list[Row], more: Iterable[Row]) -> Iterator[Row]:
    yield from rows
    yield from more
