"""The tail: where the events are that the file's indexes do not know yet.

The writer adds to it, the reader looks up in it. Only single operations on built-in containers are shared,
so no lock is needed; what makes it right is the order of steps:

- the writer adds an event before it commits it; a reader does not find it in the file until then;
- the writer forgets a stretch only after the indexes that cover it are committed;
- a reader asks the tail *before* its query begins: then every event committed before it asked is in what it
  got or in the indexes it is about to see; one that is in both counts once.
"""

Key = tuple[str, str]
"""(aggregate, id)."""


class Stretch:
    """A run of events: ``[first version, position, ...]`` per entity, ``[first sequence, position, ...]``
    per shard, without gaps. The first number never changes, so a reader may copy a list at any moment."""

    __slots__ = ("entities", "shards")

    def __init__(self) -> None:
        self.entities: dict[Key, list[int]] = {}
        self.shards: dict[int, list[int]] = {}


class Tail:
    """Two stretches: ``recent``, and before it ``settling``, which is being indexed."""

    __slots__ = ("_stretches",)

    def __init__(self) -> None:
        self._stretches = (Stretch(), Stretch())

    @property
    def settling(self) -> Stretch:
        """What is being indexed."""
        return self._stretches[1]

    def add(self, position: int, shard: int, seq: int, aggregate: str, id: str, version: int) -> int | None:
        """Note an event; returns the entity's version before, if that is known here."""
        recent, settling = self._stretches
        of_shard = recent.shards.get(shard)
        if of_shard is None:
            recent.shards[shard] = [seq, position]
        else:
            of_shard.append(position)
        key = (aggregate, id)
        of_entity = recent.entities.get(key)
        if of_entity is None:
            recent.entities[key] = [version, position]
            earlier = settling.entities.get(key)
            return earlier[0] + len(earlier) - 2 if earlier else None
        of_entity.append(position)
        return of_entity[0] + len(of_entity) - 3

    def become(self, other: "Tail") -> None:
        """Take over what was read from the file."""
        self._stretches = other._stretches

    def settle(self) -> None:
        """Begin to index what is there; what is added from now on comes after it."""
        self._stretches = (Stretch(), self._stretches[0])

    def forget(self) -> None:
        """The settling stretch is indexed."""
        self._stretches = (self._stretches[0], Stretch())

    def of_entity(self, aggregate: str, id: str, first: int, last: int) -> list[int]:
        """Positions of an entity's events with versions from ``first`` to ``last``."""
        key = (aggregate, id)
        recent, settling = self._stretches
        return _between(settling.entities.get(key), first, last) + _between(
            recent.entities.get(key), first, last
        )

    def of_shard(self, shard: int, first: int, last: int) -> list[int]:
        """Positions of a shard's events with sequences from ``first`` to ``last``."""
        recent, settling = self._stretches
        return _between(settling.shards.get(shard), first, last) + _between(
            recent.shards.get(shard), first, last
        )


def _between(entry: list[int] | None, first: int, last: int) -> list[int]:
    if entry is None:
        return []
    before = entry[0] - 1
    return entry[max(first - before, 1) : max(last - before + 1, 1)]
