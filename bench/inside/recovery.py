"""From the journal back to life: replaying, activating, with and without a snapshot."""

import statistics
import time
from pathlib import Path

from actors.journal.sqlite import SqliteJournal
from actors.region import Region
from actors.settings import Settings
from bench.inside import history, house

LONG = 1_000
"""Events of the entities that are activated one by one."""
SHORT = 5
REPEATS = 3


async def measure(folder: Path, quick: bool) -> dict[str, list[float]]:
    """Events per second, milliseconds per activation, activations per second."""
    path = folder / "recovery.sqlite"
    long = [f"long{number}" for number in range(20 if quick else 60)]
    short = [f"short{number}" for number in range(5_000 if quick else 20_000)]
    journal = await SqliteJournal.open(path)
    await history.write(journal, history.events(short, range(1, SHORT + 1)))
    await history.write(journal, history.events(long, range(1, LONG + 1)))
    await journal.close()
    found: dict[str, list[float]] = {}
    async with house.opened(path) as region:
        found["fold"] = [await _fold(region, long) for _ in range(REPEATS)]
        found["replay"] = [await _replay(region, long) for _ in range(REPEATS)]
        found["activation"] = [await _activation(region, long)]
    # The region above has taken a snapshot of everything when it ended.
    async with house.opened(path) as region:
        found["activation_snapshot"] = [await _activation(region, long)]
    found["cold"] = []
    for _ in range(REPEATS):
        async with house.opened(path) as region:
            found["cold"].append(await cold(region, short))
    return found


async def _fold(region: Region, names: list[str]) -> float:
    """Events per second of rows that are in memory already."""
    kind = region.kinds["space"]
    rows = [row for name in names[:5] for row in await region.journal.history("space", name, 0, LONG)]
    entities = [rows[start : start + LONG] for start in range(0, len(rows), LONG)]
    began = time.perf_counter()
    for each in entities:
        kind.fold(None, each)
    return len(rows) / (time.perf_counter() - began)


async def _replay(region: Region, names: list[str]) -> float:
    """Events per second, read and folded one entity after the other."""
    fold = region.kinds["space"].fold
    began = time.perf_counter()
    for name in names:
        replayed = await region.journal.replay_all("space", name, fold)
        if replayed.version != LONG:
            raise RuntimeError(f"{name} was replayed to version {replayed.version}, not {LONG}")
    return len(names) * LONG / (time.perf_counter() - began)


async def _activation(region: Region, names: list[str]) -> float:
    """Milliseconds from the question to the answer of an entity at rest, the median."""
    times: list[float] = []
    for name in names:
        began = time.perf_counter()
        await house.show_one(region, name)
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


async def cold(region: Region, names: list[str]) -> float:
    """Activations per second of entities at rest, many at once."""
    began = time.perf_counter()
    await house.show_all(region, names)
    return len(names) / (time.perf_counter() - began)


async def measure_large(folder: Path, quick: bool) -> dict[str, list[float]]:
    """Activations per second out of a journal that ``bench.large`` has filled."""
    names = [f"past{number}" for number in range(500_000, 505_000 if quick else 520_000)]
    async with house.opened(Path(Settings(data=str(folder)).journal_file("booking"))) as region:
        return {"cold_large": [await cold(region, names)]}
