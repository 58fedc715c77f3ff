"""Reading all shards of the file, also those that other processes append to, indexed or not.

A process knows where the unindexed events of its own shards are, but not of those of others. Positions help:
they are given in the order of commits. So what is indexed is read shard by shard, and everything behind it by
position, each event once; at the end of the file a look costs next to nothing."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from actors.journal.port import Row
from actors.journal.sqlite.reader import Reader

_rows_after = msgspec.json.Decoder(
    list[tuple[int, str, str, int, int, str, int, str, str | None, int, int | None, int]]
)
_pairs = msgspec.json.Decoder(list[tuple[int, int]])

Submit = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs something on the reader's thread."""


class Heads:
    """How far every shard is, whoever appends to it; each look reads only what is new."""

    def __init__(self, reader: Reader, shards: int) -> None:
        self._reader = reader
        self._shards = shards
        self._known: dict[int, int] = {}
        self._position: int | None = None

    def look(self) -> dict[int, int]:
        """On the reader's thread."""
        if self._position is None:
            # First the position: what is indexed up to there is seen by the look at the indexes.
            self._position = self._reader.progress()[0]
            self._known = self._reader.indexed_heads(self._shards)
        text, self._position = self._reader.query("newest", (self._position,))
        for shard, seq in _pairs.decode(text):
            self._known[shard] = max(seq, self._known.get(shard, 0))
        return dict(self._known)


class SqliteFeed:
    """See ``port.Feed``."""

    def __init__(self, submit: Submit, reader: Reader, shards: int, after: Mapping[int, int]) -> None:
        self._submit = submit
        self._reader = reader
        self._after = {shard: after.get(shard, 0) for shard in range(shards)}
        self._indexed = list(range(shards))
        """Shards whose indexed events are not all read yet."""
        self._position: int | None = None

    async def read(self, limit: int) -> list[Row]:
        """See ``port.Feed.read``."""
        rows: list[Row] = await self._submit(lambda: self._read(limit))
        return rows

    def _read(self, limit: int) -> list[Row]:
        if self._position is None:
            # What is indexed later is behind this position too, and read once all the same.
            self._position = self._reader.progress()[0]
        rows: list[Row] = []
        while self._indexed and len(rows) < limit:
            shard = self._indexed[-1]
            found = self._reader.indexed(shard, self._after[shard], limit - len(rows))
            if found:
                self._after[shard] = found[-1].seq
                rows += found
            if len(rows) < limit:
                self._indexed.pop()
        while not self._indexed and len(rows) < limit:
            found, more = self._behind(limit - len(rows))
            rows += found
            if not more:
                break
        return rows

    def _behind(self, limit: int) -> tuple[list[Row], bool]:
        """Rows by position without those that were read by their index, and whether there may be more."""
        text, blob, self._position = self._reader.query("events_after", (self._position, limit))
        rows: list[Row] = []
        begin = 0
        found = _rows_after.decode(text)
        for shard, aggregate, id, seq, version, type, at, by, trace, key, mark, size in found:
            middle = begin + key
            data = middle + (mark or 0)
            end = data + size
            if seq > self._after[shard]:
                self._after[shard] = seq
                fingerprint = blob[middle:data] if mark is not None else None
                rows.append(
                    Row(
                        shard,
                        seq,
                        aggregate,
                        id,
                        version,
                        type,
                        blob[begin:middle],
                        fingerprint,
                        at,
                        by,
                        trace,
                        blob[data:end],
                    )
                )
            begin = end
        return rows, len(found) == limit
