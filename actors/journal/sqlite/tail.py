"""The tail: where the events of this process's shards are that the file's indexes may not know yet.

The writer adds to it, the reader looks up in it. Only single operations on built-in containers are shared,
so no lock is needed; what makes it right is the order of steps:

- the writer adds an event after its commit and before anyone is told of it;
- the writer forgets a stretch only after the indexes that cover it are committed, by whichever process;
- a reader asks the tail *before* its query begins: then every event that was told of before it asked is in
  what it got or in the indexes it is about to see; one that is in both counts once;
- the indexes grow in the order of sequences and versions, so index and tail together have no gap.
"""

from collections.abc import Iterable

Key = tuple[str, str]
"""(aggregate, id)."""
Located = tuple[int, int, int, str, str, int]
"""(position, shard, seq, aggregate, id, version)."""

Placed = tuple[int, int, Key, int, list[int] | None]
"""(shard, seq, entity, version, the entity's list in the recent stretch if it has one)."""

_FREED_AT_ONCE = 2_048


class Stretch:
    """A run of events: ``[first version, position, ...]`` per entity, ``[first sequence, position, ...]``
    per shard, without gaps. The first number never changes, so a reader may copy a list at any moment."""

    __slots__ = ("entities", "keys", "last", "shards", "size")

    def __init__(self) -> None:
        self.entities: dict[Key, list[int]] = {}
        self.shards: dict[int, list[int]] = {}
        self.keys: dict[int, list[Key]] = {}
        """The entities of each shard."""
        self.last = 0
        """The highest position."""
        self.size = 0

    def add(self, position: int, events: Iterable[Placed]) -> None:
        """Note events that follow those here, at ``position`` and the positions after it."""
        entities, shards, keys = self.entities, self.shards, self.keys
        first = position
        for shard, seq, key, version, of_entity in events:
            of_shard = shards.get(shard)
            if of_shard is None:
                shards[shard] = [seq, position]
                keys[shard] = []
            else:
                of_shard.append(position)
            if of_entity is None:
                of_entity = entities.get(key)
            if of_entity is None:
                entities[key] = [version, position]
                keys[shard].append(key)
            else:
                of_entity.append(position)
            position += 1
        self.last = position - 1
        self.size += position - first

    def without(self, shards: Iterable[int]) -> "Stretch":
        """A copy without the events of ``shards``, or this one if it has none."""
        gone = self.shards.keys() & shards
        if not gone:
            return self
        copy = self.copy()
        for shard in gone:
            copy.size -= len(copy.shards.pop(shard)) - 1
            for key in copy.keys.pop(shard):
                del copy.entities[key]
        return copy

    def copy(self) -> "Stretch":
        """One that can be added to for shards that this one does not have."""
        copy = Stretch()
        copy.entities, copy.shards, copy.keys = self.entities.copy(), self.shards.copy(), self.keys.copy()
        copy.last, copy.size = self.last, self.size
        return copy


class Tail:
    """Stretches of ``stretch`` events, oldest first; the last one grows."""

    def __init__(self, stretch: int) -> None:
        self._stretch = stretch
        self._stretches: tuple[Stretch, ...] = (Stretch(),)
        self._forgotten: list[dict[Key, list[int]]] = []

    @property
    def size(self) -> int:
        """How many events are here."""
        return sum(one.size for one in self._stretches)

    def add(self, position: int, events: Iterable[Placed]) -> None:
        """Note events at ``position`` and the positions after it; ``recent`` was asked before."""
        self._stretches[-1].add(position, events)

    def recent(self) -> dict[Key, list[int]]:
        """The entities' lists to which the next ``add`` adds. Whoever has looked there hands them over: each
        look into so large a table misses the processor's caches."""
        if self._stretches[-1].size >= self._stretch:
            self.cut()
        return self._stretches[-1].entities

    def cut(self) -> None:
        """What is here is about to be indexed, and to be forgotten without what is added from now on."""
        if self._stretches[-1].size:
            self._stretches = (*self._stretches, Stretch())

    def version_of(self, key: Key) -> int | None:
        """An entity's newest version, if that is known here."""
        for stretch in reversed(self._stretches):
            entry = stretch.entities.get(key)
            if entry is not None:
                return entry[0] + len(entry) - 2
        return None

    def replace(self, shards: Iterable[int], events: Iterable[Located]) -> None:
        """Forget what is known of ``shards`` and know ``events`` of them instead, all in one moment."""
        *before, recent = (one.without(shards) for one in self._stretches)
        if recent.size >= self._stretch:
            before.append(recent)
            recent = Stretch()
        else:
            recent = recent.copy()
        last = recent.last
        for position, shard, seq, aggregate, id, version in events:
            recent.add(position, ((shard, seq, (aggregate, id), version, None),))
        recent.last = max(last, recent.last)
        self._stretches = (*(one for one in before if one.size), recent)

    def forget(self, indexed: int) -> None:
        """Every event up to position ``indexed`` is in the indexes."""
        stretches = self._stretches
        kept = tuple(one for one in stretches if one.last > indexed)
        if len(kept) == len(stretches):
            return
        if not kept or kept[-1] is not stretches[-1]:
            kept = (*kept, Stretch())
        self._stretches = kept
        self._forgotten += [one.entities for one in stretches if one.last <= indexed and one.size]

    def free_some(self) -> bool:
        """Free a part of what was forgotten, whether there was any: all of it at once would hold the
        interpreter lock for milliseconds."""
        if not self._forgotten:
            return False
        entities = self._forgotten[-1]
        for _ in range(min(_FREED_AT_ONCE, len(entities))):
            entities.popitem()
        if not entities:
            self._forgotten.pop()
        return True

    def of_entity(self, aggregate: str, id: str, first: int, last: int) -> list[int]:
        """Positions of an entity's events with versions from ``first`` to ``last``."""
        key = (aggregate, id)
        found: list[int] = []
        for stretch in self._stretches:
            entry = stretch.entities.get(key)
            if entry is not None:
                found += _between(entry, first, last)
        return found

    def of_shard(self, shard: int, first: int, last: int) -> list[int]:
        """Positions of a shard's events with sequences from ``first`` to ``last``."""
        found: list[int] = []
        for stretch in self._stretches:
            entry = stretch.shards.get(shard)
            if entry is not None:
                found += _between(entry, first, last)
        return found


def _between(entry: list[int], first: int, last: int) -> list[int]:
    before = entry[0] - 1
    return entry[max(first - before, 1) : max(last - before + 1, 1)]
