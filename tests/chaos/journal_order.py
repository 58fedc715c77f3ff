"""What the journal must be by itself: sequences and versions without gaps, each entity in one shard."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from actors.journal.port import Row
from tests.chaos.faults import Fault, Kind


def check_order(rows: Iterable[Row]) -> Iterator[Fault]:
    """Every gap, repetition and reversal, at its first place in each shard and entity."""
    shards: dict[int, list[Row]] = defaultdict(list)
    entities: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        shards[row.shard].append(row)
        entities[row.aggregate, row.id].append(row)
    for shard, of_shard in shards.items():
        of_shard.sort(key=lambda row: row.seq)
        yield from _check_run(f"shard {shard}", of_shard, [row.seq for row in of_shard])
    for (aggregate, id), of_entity in entities.items():
        of_entity.sort(key=lambda row: (row.shard, row.seq))
        if of_entity[0].shard != of_entity[-1].shard:
            ends = (of_entity[0], of_entity[-1])
            yield Fault(Kind.GAP, id, f"{aggregate} {id} is in two shards", rows=ends)
        yield from _check_run(id, of_entity, [row.version for row in of_entity])


def _check_run(name: str, rows: list[Row], numbers: list[int]) -> Iterator[Fault]:
    for at, number in enumerate(numbers):
        if number != at + 1:
            around = tuple(rows[max(0, at - 1) : at + 1])
            yield Fault(Kind.GAP, name, f"{number} stands where {at + 1} must be", rows=around)
            return
