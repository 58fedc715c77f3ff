"""Filling the indexes behind the commits, in key order and in small steps, for the events of every process.

A commit of fifty events of fifty entities would touch fifty leaves of each index, 4 KiB in the log for each.
Sorted by key, the events of a whole window share leaves. A step takes one or two milliseconds, and the next
is made as large as that allows, so that a commit that arrives hardly waits.

Two processes that index at once do each other no harm, only work twice: what is there already stays.
"""

import time

import msgspec

from actors.journal.port import Corrupted
from actors.journal.sqlite.statements import sql
from actors.journal.sqlite.store import Store

WINDOW = 65_536
"""Events indexed together. A larger one shares leaves better (with 10,000 of 1,000,000 entities active, 0.15
leaves an event; 16,384 events: 0.49), but all of it is looked through when a shard is claimed."""
QUIET_WINDOW = 4_096
"""Events that are indexed when nothing else happens, so that the next claim is quick."""
PATIENCE = 2
"""Windows' worth of events not indexed beyond which commits are made to wait for steps."""

_STEP_SECONDS = 0.0015
_RUN, _LEAST_RUN, _MOST_RUN = 256, 128, 2_048
"""Events per step."""

_BEFORE_ALL_ENTITIES = ("", "", 0, 0)

_gathered = msgspec.json.Decoder(list[tuple[int, int, int]])


class Indexer:
    """Steps of the current window; made and used on the writer's thread."""

    def __init__(self, store: Store, window: int = WINDOW) -> None:
        self._store = store
        self._heads = store.heads
        self._window = window
        self._until = 0
        self._gathered = 0
        self._run = _RUN
        self._entities: tuple[str, str, int, int] | None = None
        self._shards: dict[int, list[int]] = {}
        """``[first sequence, position, ...]`` per shard. Kept here and not in a sorted table like the
        entities: they come in order, and each insert into such a table took two microseconds."""
        self._runs: list[tuple[int, int, list[int]]] = []
        """(shard, first sequence, positions) to be indexed, the next one last."""
        self.corruption: Corrupted | None = None
        """Set for good when an index found two events with one name."""

    def due(self, *, quiet: bool = False) -> bool:
        """There is a step to do; ``quiet`` when nothing else has happened for a while."""
        return self.corruption is None and (
            self._until > 0
            or self._behind >= self._window
            or (quiet and self._behind >= min(self._window, QUIET_WINDOW))
        )

    @property
    def _behind(self) -> int:
        return self._heads.last - self._heads.indexed

    @property
    def lateness(self) -> int:
        """By how many windows more is not indexed than commits need not wait for; 0 if all is well."""
        if self.corruption is not None:
            return 0
        return max(self._behind // self._window - PATIENCE + 1, 0)

    @property
    def gathering(self) -> bool:
        """The next step only reads, so it needs no turn."""
        return self._until == 0 or self._gathered < self._until

    def stop(self) -> None:
        """Break the window off; another process indexes, or this one begins it again."""
        self._until = 0

    def step(self) -> None:
        """One step. Raises ``JournalError``; the step is then done again, or ``corruption`` is set."""
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
        self._store.index("DELETE FROM temp.gathered_entities")
        self._heads.tail.cut()
        self._gathered = self._heads.indexed
        self._until = min(self._heads.last, self._gathered + self._window * PATIENCE)
        self._entities, self._shards, self._runs = _BEFORE_ALL_ENTITIES, {}, []

    def _advance(self) -> None:
        store = self._store
        if self._gathered < self._until:
            upto = min(self._gathered + self._run, self._until)
            store.index(sql("gather_entities"), (self._gathered, upto))
            [(text,)] = store.index(sql("gather_shards"), (self._gathered, upto))
            self._gather(_gathered.decode(text))
            self._gathered = upto
            if upto == self._until:
                self._runs = _runs_of(self._shards)
        elif self._entities is not None:
            run = (*self._entities, self._run)
            store.index(sql("index_entities"), run)
            found = store.index(sql("entities_until"), run)
            self._entities = (found[0][0], found[0][1], found[0][2], found[0][3]) if found else None
        elif self._runs:
            several = self._runs[: -self._run // _RUN - 1 : -1]
            store.index(sql("index_shards"), (msgspec.json.encode(several).decode(),))
            del self._runs[-len(several) :]
        else:
            store.index("UPDATE journal SET indexed = max(indexed, ?)", (self._until,))
            self._heads.moved(self._until, 0)
            self._until = 0

    def _gather(self, events: list[tuple[int, int, int]]) -> None:
        shards = self._shards
        for shard, seq, position in events:
            of_shard = shards.get(shard)
            if of_shard is None:
                shards[shard] = [seq, position]
            elif seq == of_shard[0] + len(of_shard) - 1:
                of_shard.append(position)
            else:
                raise Corrupted(f"{shard}:{seq} at position {position} is out of sequence")


def _runs_of(shards: dict[int, list[int]]) -> list[tuple[int, int, list[int]]]:
    """Neighbours in the tree, the first ones last, at most ``_RUN`` events each."""
    return [
        (shard, shards[shard][0] + begin - 1, shards[shard][begin : begin + _RUN])
        for shard in sorted(shards)
        for begin in range(1, len(shards[shard]), _RUN)
    ][::-1]
