"""Filling the indexes behind the commits, in key order and in small steps.

A commit of fifty events of fifty entities would touch fifty leaves of each index, 4 KiB in the log for each.
Sorted by key, the events of a whole window share leaves. A step takes one or two milliseconds, and the next
is made as large as that allows, so that a commit that arrives hardly waits.
"""

import time

from actors.journal.port import Corrupted
from actors.journal.sqlite.statements import sql
from actors.journal.sqlite.store import Store
from actors.journal.sqlite.tail import Key

WINDOW = 65_536
"""Events indexed together. A larger one shares leaves better (with 10,000 of 1,000,000 entities active, 0.15
leaves an event; 16,384 events: 0.49), but is read back when the file is opened: a third of a second."""
QUIET_WINDOW = 4_096
"""Events that are indexed when nothing else happens, so that the next opening is quick."""
PATIENCE = 2
"""Windows' worth of events not indexed beyond which commits are made to wait for steps."""

_STEP_SECONDS = 0.0015
_RUN, _LEAST_RUN, _MOST_RUN = 256, 128, 2_048
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
        self._run = _RUN
        self._cursor: tuple[str, str, int] | None = None
        self._shards: list[tuple[int, int, list[int]]] = []
        self._forgotten: dict[Key, list[int]] = {}
        self.corruption: Corrupted | None = None
        """Set for good when an index found two events with one name."""

    def due(self, *, quiet: bool = False) -> bool:
        """There is a step to do; ``quiet`` when nothing else has happened for a while."""
        return self.corruption is None and (
            self._until > 0
            or bool(self._forgotten)
            or self._behind >= self._window
            or (quiet and self.waits_for_quiet)
        )

    @property
    def waits_for_quiet(self) -> bool:
        """There will be a step to do if nothing else happens."""
        return self.corruption is None and self._behind >= min(self._window, QUIET_WINDOW)

    @property
    def _behind(self) -> int:
        return self._store.last - self._store.indexed

    @property
    def late(self) -> bool:
        """So much is not indexed that steps must not wait for a pause any more."""
        return self.corruption is None and self._behind >= self._window * PATIENCE

    def step(self) -> None:
        """One step. Raises ``JournalError``; the step is then done again, or ``corruption`` is set."""
        store = self._store
        if self._seen != store.refreshed:
            self._seen, self._until = store.refreshed, 0
        if self._forgotten:
            self._let_go()
            return
        if self._until == 0:
            self._begin()
        begin = time.perf_counter()
        try:
            self._advance()
        except Corrupted as found:
            self.corruption = Corrupted(f"two events have the same sequence or version: {found}")
            raise self.corruption from found
        if time.perf_counter() - begin > _STEP_SECONDS:
            self._run = max(self._run // 2, _LEAST_RUN)
        else:
            self._run = min(self._run + self._run // 8, _MOST_RUN)

    def _begin(self) -> None:
        store = self._store
        store.index("DELETE FROM temp.gathered")
        store.tail.settle()
        self._until, self._gathered, self._cursor = store.last, store.indexed, _BEFORE_ALL
        self._shards = [
            (shard, entry[0] + begin - 1, entry[begin : begin + _MOST_RUN])
            for shard, entry in store.tail.settling.shards.items()
            for begin in range(1, len(entry), _MOST_RUN)
        ]

    def _advance(self) -> None:
        store = self._store
        if self._gathered < self._until:
            upto = min(self._gathered + self._run, self._until)
            store.index(sql("gather"), (self._gathered, upto))
            self._gathered = upto
        elif self._cursor is not None:
            run = (*self._cursor, self._run)
            store.index(sql("index_entities"), run)
            found = store.index(sql("indexed_until"), run)
            self._cursor = (found[0][0], found[0][1], found[0][2]) if found else None
        elif self._shards:
            shard, first, positions = self._shards[-1]
            store.index(sql("index_shard"), (shard, first, f"[{','.join(map(str, positions))}]"))
            self._shards.pop()
        else:
            store.index("UPDATE journal SET indexed = max(indexed, ?)", (self._until,))
            store.indexed, self._until = self._until, 0
            self._forgotten = store.tail.settling.entities
            store.tail.forget()

    def _let_go(self) -> None:
        """Free some of a stretch: all of it at once would hold the interpreter lock for ten milliseconds."""
        for _ in range(min(_MOST_RUN, len(self._forgotten))):
            self._forgotten.popitem()
