"""A journal of 5 million events of 1,000,000 entities: what is active must not feel it, memory must not
grow with it, and what is at rest must come back at once."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from actors.journal.sqlite import SqliteJournal
from actors.settings import Settings
from bench import served, spaces, wrk
from bench.inside import history
from bench.loads import SPREAD
from bench.rounds import Rounds

ENTITIES = 1_000_000
EVENTS = 5
CAP = 20_000
"""Active entities allowed while memory is watched."""
TOUCHED = 4 * CAP
WARM_UP = 1.0


def fill(data: Path, tell: Callable[[str], object]) -> Path:
    """Write the journal below ``data``; where it is."""
    path = Path(Settings(data=str(data)).journal_file("booking"))
    path.parent.mkdir(parents=True, exist_ok=True)
    tell(f"writing {ENTITIES * EVENTS:,} events of {ENTITIES:,} entities")
    asyncio.run(_fill(path))
    return path


async def _fill(path: Path) -> None:
    journal = await SqliteJournal.open(path)
    try:
        names = [f"past{number}" for number in range(ENTITIES)]
        await history.write(journal, history.events(names, range(1, EVENTS + 1)))
    finally:
        await journal.close()


def measure(
    folder: Path, rounds: int, seconds: float, tell: Callable[[str], object]
) -> dict[str, list[float]]:
    """Ratios of commands with the large journal to those with a small one, and of memory."""
    data = folder / "large"
    fill(data, tell)
    return {
        "flat": _flat(folder, data, rounds, seconds, tell),
        "rss_cap": [_memory(data, folder / "cap.log", tell)],
    }


def _flat(
    folder: Path, data: Path, rounds: int, seconds: float, tell: Callable[[str], object]
) -> list[float]:
    small_data = folder / "small"
    with (
        served.bare() as bare,
        served.butai(small_data, folder / "small.log") as small,
        served.butai(data, folder / "large.log") as large,
    ):
        spaces.post_all(small.url, spaces.opened("past", SPREAD))
        for server in (small, large):
            _read_until(server, 0, SPREAD)
        load = wrk.Load("reserve", SPREAD, "past")
        runs = [Rounds(bare, server, lambda _name, _number: load, tell) for server in (small, large)]
        found: list[float] = []
        for _ in range(rounds):
            ratios = []
            for run in runs:
                [row] = run.run(["spread"], 1, seconds, WARM_UP)[1:]
                ratios.append(row.compared[0].rate)
            found.append(ratios[1] / ratios[0])
    return found


def _memory(data: Path, log: Path, tell: Callable[[str], object]) -> float:
    """RSS after ``TOUCHED`` entities were read, to RSS when the cap was reached."""
    tell(f"reading {TOUCHED:,} entities with a cap of {CAP:,}")
    with served.butai(data, log, {"entities.active": CAP}) as butai:
        _read_until(butai, 0, CAP)
        at_cap = butai.rss()
        _read_until(butai, CAP, TOUCHED)
        return butai.rss() / at_cap


def _read_until(butai: served.Server, first: int, count: int) -> None:
    """Activate the entities from number ``first`` until ``count`` have been asked for."""
    load = wrk.Load("get", count, "past")
    while first < count:
        first = wrk.run(butai.url, load, 1, first).next
