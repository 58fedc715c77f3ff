"""The tail knows every event of its shards that the indexes do not, and forgets only what they do."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from actors.journal.sqlite.tail import Located, Tail

SHARDS = range(3)
EVER = 1_000


@dataclass(frozen=True)
class Append:
    """Events of entities, each (shard, number), in one commit."""

    entities: list[tuple[int, int]]


@dataclass(frozen=True)
class Elsewhere:
    """Another process has the shard and appends to it."""

    entities: list[tuple[int, int]]


@dataclass(frozen=True)
class Index:
    """The indexes reach so far behind the last position."""

    behind: int


@dataclass(frozen=True)
class Claim:
    """Shards are read anew."""

    shards: list[int]


_entities = st.lists(st.tuples(st.sampled_from(SHARDS), st.integers(0, 2)), min_size=1, max_size=6)
_steps = st.one_of(
    st.builds(Append, _entities),
    st.builds(Elsewhere, _entities),
    st.builds(Index, st.integers(0, 8)),
    st.builds(Claim, st.lists(st.sampled_from(SHARDS), min_size=1, unique=True)),
)


class Model:
    """All events, and which shards are known here to the last."""

    def __init__(self, stretch: int) -> None:
        self.tail = Tail(stretch)
        self.events: list[Located] = []
        self.indexed = 0
        self.lost: set[int] = set()

    def made(self, entities: list[tuple[int, int]]) -> list[Located]:
        for shard, number in entities:
            id = f"{shard}/{number}"
            seq = 1 + sum(1 for one in self.events if one[1] == shard)
            version = 1 + sum(1 for one in self.events if one[4] == id)
            self.events.append((len(self.events) + 1, shard, seq, "space", id, version))
        return self.events[-len(entities) :]

    def step(self, step: Append | Elsewhere | Index | Claim) -> None:
        match step:
            case Append(entities):
                mine = [one for one in entities if one[0] not in self.lost]
                if mine:
                    rows = self.made(mine)
                    self.tail.recent()
                    self.tail.add(rows[0][0], [(row[1], row[2], row[3:5], row[5], None) for row in rows])
            case Elsewhere(entities):
                self.lost |= {shard for shard, _ in entities}
                self.made(entities)
            case Index(behind):
                self.indexed = max(self.indexed, len(self.events) - behind)
                self.tail.cut()
                self.tail.forget(self.indexed)
                while self.tail.free_some():
                    continue
            case Claim(shards):
                unindexed = [one for one in self.events if one[0] > self.indexed and one[1] in shards]
                self.tail.replace(shards, unindexed)
                self.lost -= set(shards)

    def check(self) -> None:
        for shard in SHARDS:
            if shard in self.lost:
                continue
            for first, last in ((1, EVER), (2, 3), (5, 4)):
                found = self.tail.of_shard(shard, first, last)
                self.complete(found, [(e[0], e[2]) for e in self.events if e[1] == shard], first, last)
            for id in {event[4] for event in self.events if event[1] == shard}:
                versions = [(e[0], e[5]) for e in self.events if e[4] == id]
                for first, last in ((1, EVER), (2, 3), (3, 3)):
                    self.complete(self.tail.of_entity("space", id, first, last), versions, first, last)
                known = self.tail.version_of(("space", id))
                assert known == versions[-1][1] or (known is None and versions[-1][0] <= self.indexed)

    def complete(self, found: list[int], numbered: list[tuple[int, int]], first: int, last: int) -> None:
        wanted = [position for position, number in numbered if first <= number <= last]
        assert found == sorted(set(found))
        assert set(found) <= set(wanted)
        assert {position for position in wanted if position > self.indexed} <= set(found)


@given(st.lists(_steps, max_size=25), st.integers(1, 4))
def test_with_the_indexes_it_has_every_event_of_its_shards_once(
    steps: list[Append | Elsewhere | Index | Claim], stretch: int
) -> None:
    model = Model(stretch)
    for step in steps:
        model.step(step)
        model.check()


def test_it_is_empty_when_everything_is_indexed() -> None:
    tail = Tail(2)
    for seq in range(1, 8):
        tail.recent()
        tail.add(seq, [(1, seq, ("space", "x"), seq, None)])
    tail.forget(6)
    assert tail.of_shard(1, 1, EVER)[-1] == 7
    tail.forget(7)
    assert tail.size == 0
    assert tail.of_shard(1, 1, EVER) == []


def test_shards_that_are_claimed_again_and_again_take_no_more_room() -> None:
    tail = Tail(100)
    events: list[Located] = [(seq, 1, seq, "space", "x", seq) for seq in range(1, 8)]
    for _ in range(10):
        tail.replace([1], events)
        tail.replace([2], [])
        assert tail.size == 7
    assert tail.of_entity("space", "x", 1, EVER) == list(range(1, 8))
