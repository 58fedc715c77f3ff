"""Filling the indexes behind the commits, in key order and in small steps.

A commit of fifty events of fifty entities would touch fifty leaves of each index, 4 KiB in the log for each.
Sorted by key, the events of a whole window share leaves. No step holds the file for longer than about a
millisecond, so that a commit that arrives does not wait.
"""

from actors.journal.port import Corrupted
from actors.journal.sqlite.statements import sql
from actors.journal.sqlite.store import Store

WINDOW = 16_384
"""Events indexed together. A larger one shares leaves better, but is read back when the file is opened."""
PATIENCE = 2
"""Windows' worth of events not indexed beyond which commits are made to wait for steps."""
_RUN = 512
"""Events per step."""

_BEFORE_ALL = ("", "", 0)


class Indexer:
    """Steps of the current window; made and used on the writer's thread."""

    def __init__(self, store: Store, window: int = WINDOW) -> None:
        self._store = store
        self._window = window
        self._seen = store.refreshed
        self._until = 0
        self._gathered = 0
        self._cursor: tuple[str, str, int] | None = None
        self._shards: list[tuple[int, list[int]]] = []
        self.corruption: Corrupted | None = None
        """Set for good when an index found two events with one name."""

    @property
    def due(self) -> bool:
        """There is a step to do."""
        if self.corruption is not None:
            return False
        return self._until > 0 or self._store.last - self._store.indexed >= self._window

    @property
    def late(self) -> bool:
        """So much is not indexed that steps must not wait for a pause any more."""
        return self.corruption is None and self._store.last - self._store.indexed >= self._window * PATIENCE

    def step(self) -> None:
        """One step. Raises ``JournalError``; the step is then done again, or ``corruption`` is set."""
        store = self._store
        if self._seen != store.refreshed:
            self._seen, self._until = store.refreshed, 0
        if self._until == 0:
            self._begin()
        try:
            self._advance()
        except Corrupted as found:
            self.corruption = found
            raise

    def _begin(self) -> None:
        store = self._store
        store.index("DELETE FROM temp.gathered")
        store.tail.settle()
        self._until, self._gathered, self._cursor = store.last, store.indexed, _BEFORE_ALL
        self._shards = [(shard, entry) for shard, entry in sorted(store.tail.settling.shards.items())]

    def _advance(self) -> None:
        store = self._store
        if self._gathered < self._until:
            upto = min(self._gathered + _RUN, self._until)
            store.index(sql("gather"), (self._gathered, upto))
            self._gathered = upto
        elif self._cursor is not None:
            run = (*self._cursor, _RUN)
            store.index(sql("index_entities"), run)
            found = store.index(sql("indexed_until"), run)
            self._cursor = (found[0][0], found[0][1], found[0][2]) if found else None
        elif self._shards:
            shard, entry = self._shards[-1]
            store.index(sql("index_shard"), (shard, entry[0], f"[{','.join(map(str, entry[1:]))}]"))
            self._shards.pop()
        else:
            store.index("UPDATE journal SET indexed = max(indexed, ?)", (self._until,))
            store.indexed, self._until = self._until, 0
            store.tail.forget()
