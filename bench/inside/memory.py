"""What an idle active entity holds beyond its own state: its actor, its address, its place in the shard."""

import gc
import tracemalloc
from pathlib import Path
from typing import Any

from actors import manifest
from actors.aggregate import AggregateType
from actors.journal.sqlite import SqliteJournal
from actors.settings import Settings
from bench.inside import history, house

EVENTS = 5
JOURNAL = tracemalloc.Filter(False, "*/actors/journal/sqlite/*")


async def measure(folder: Path, quick: bool) -> dict[str, list[float]]:
    """Bytes per entity, counted by tracemalloc."""
    path = folder / "memory.sqlite"
    names = [f"m{number}" for number in range(3_000 if quick else 10_000)]
    journal = await SqliteJournal.open(path)
    await history.write(journal, history.events(names, range(1, EVENTS + 1)))
    await journal.close()
    tracemalloc.start()
    whole = await _entities(path, names)
    state = await _states(path, names)
    tracemalloc.stop()
    return {"idle": [whole - state], "state": [state]}


async def _entities(path: Path, names: list[str]) -> float:
    """Bytes per entity that a region holds once all are active and quiet."""
    async with house.opened(path) as region:
        await house.show_all(region, names[:1])
        before = _allocated()
        await house.show_all(region, names[1:])
        after = _allocated()
        if region.active != len(names):
            raise RuntimeError(f"{region.active} of {len(names)} entities are active")
    return (after - before) / (len(names) - 1)


async def _states(path: Path, names: list[str]) -> float:
    """Bytes per state alone, replayed as above, from events: the snapshots that are there by now would give
    a state without what ``evolve`` derives on its way."""
    aggregate = manifest.load(["contexts.booking"])["booking"].aggregates["space"]
    kind = AggregateType(aggregate, Settings().entities)
    journal = await SqliteJournal.open(path)
    try:
        states: list[Any] = [None] * len(names)
        before = _allocated()
        for number, name in enumerate(names):
            states[number] = (await journal.replay_all("space", name, kind.fold)).state
        after = _allocated()
    finally:
        await journal.close()
    return (after - before) / len(names)


def _allocated() -> int:
    """Bytes that Python code holds, without the journal's own: it forgets events while it indexes them."""
    gc.collect()
    everything = tracemalloc.take_snapshot()
    return sum(trace.size for trace in everything.filter_traces([JOURNAL]).traces)
