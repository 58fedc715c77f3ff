"""The HTTP part of a run: what is opened beforehand, which load is which, what they add up to."""

from collections.abc import Callable, Sequence
from pathlib import Path

from actors.settings import Settings
from bench import proof, served, spaces
from bench.reach import Figure, figure
from bench.rounds import Rounds, Row
from bench.wrk import Load

NAMES = ("spread", "hot", "get", "retry")
SPREAD = 10_000
QUIET = 1_000
"""Spaces with one reservation each, whose state is asked for: an answer as large as a command's."""
WARM_UP = 2.0
RESERVES = ("spread", "hot")


def plan(name: str, number: int) -> Load:
    """The load of this name for its n-th slice. A hot space serves one slice only, so that no figure
    depends on how long the others ran."""
    match name:
        case "spread":
            return Load("reserve", SPREAD, "spread")
        case "hot":
            return Load("reserve", 1, f"hot{number}-")
        case "get":
            return Load("get", QUIET, "quiet")
        case _:
            return Load("retry", 1, "retried")


def measure(
    data: Path, names: Sequence[str], rounds: int, seconds: float, tell: Callable[[str], object]
) -> tuple[list[Row], proof.Proof]:
    """Load a fresh Butai in ``data``, stop it, and look into its journal."""
    with served.bare() as bare, served.butai(data, data.with_suffix(".log")) as butai:
        tell(f"opening {SPREAD + QUIET:,} spaces")
        wanted = _openings(rounds)
        spaces.post_all(butai.url, wanted)
        standing = spaces.reserved("quiet", QUIET)
        spaces.post_all(butai.url, standing)
        run = Rounds(bare, butai, plan, tell)
        rows = run.run(names, rounds, seconds, WARM_UP)
    stored = proof.stored(Path(Settings(data=str(data)).journal_file("booking")))
    reserving = [seen for load, seen in run.slices if load.kind == "reserve"]
    once = len(standing) + ("retry" in names)
    return rows, proof.Proof(
        answered=once + sum(seen.requests for seen in reserving),
        issued=once + sum(seen.issued for seen in reserving),
        stored=stored["Reserved"],
    )


def _openings(rounds: int) -> list[tuple[str, dict[str, object]]]:
    wanted = spaces.opened("spread", SPREAD) + spaces.opened("quiet", QUIET) + spaces.opened("retried", 1)
    for number in range(rounds + 1):
        wanted += spaces.opened(f"hot{number}-", 1)
    return wanted


def figures(rows: Sequence[Row]) -> list[Figure]:
    """What the rows say about the promises."""
    compared = {row.name: row.compared for row in rows if row.compared}
    found = [figure(f"{name}/bare", [one.rate for one in of]) for name, of in compared.items()]
    if "spread" in compared:
        found.append(figure("p99/bare", [one.p99 for one in compared["spread"]]))
        found.append(figure("cpu/bare", [one.cpu for one in compared["spread"]]))
    if "spread" in compared and "hot" in compared:
        pairs = zip(compared["hot"], compared["spread"], strict=True)
        found.append(figure("hot/spread", [hot.rate / spread.rate for hot, spread in pairs]))
    return found
