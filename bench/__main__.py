"""``python -m bench``: one run, its tables, and its JSON in ``bench/results``."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench import inside, large, loads, machine, readiness, report, wrk
from bench.cluster import Extent, sections
from bench.process import ProcessGone
from bench.proof import Proof
from bench.reach import FIGURES, Figure, figure
from bench.rounds import Row
from bench.served import ServerFailed
from bench.spaces import NotOpened
from bench.yardstick import nanoseconds_per_turn

RESULTS = Path(__file__).parent / "results"
USUAL = (*loads.NAMES, *inside.SETS, "ready", *sections.SECTIONS)
LARGE = "large"
NAMES = (*USUAL, LARGE)
WITH_WRK = {*loads.NAMES, *sections.WITH_WRK, LARGE}
FAILURES = (
    *(wrk.LoadFailed, ServerFailed, ProcessGone, NotOpened, inside.InsideFailed),
    *sections.FAILURES,
)

screen = Console(width=report.WIDTH, highlight=False)
progress = Console(stderr=True, highlight=False, style="dim")


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The options, checked; exits with a line and status 2 on wrong ones."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=int, help="seconds per slice (default: 3)")
    add("--rounds", type=int, help="slices per load (default: 3)")
    add("--quick", action="store_true", help="one round of 2 seconds, smaller sets: to see that all works")
    add(
        "--only",
        action="append",
        choices=NAMES,
        metavar="NAME",
        help=f"one of {', '.join(NAMES)}; repeatable",
    )
    add(
        "--large",
        action="store_true",
        help="all deaths and moves that figures are promised for, and (with --only: if named) a journal of "
        "5 million events: 20 minutes, 2 GB",
    )
    add("--data", type=Path, default=RESULTS, help="where journals go for the run (default: bench/results)")
    options = parser.parse_args(given)
    options.seconds = options.seconds or (2 if options.quick else 3)
    options.rounds = options.rounds or (1 if options.quick else 3)
    if options.seconds < 1 or options.rounds < 1:
        parser.error("--seconds and --rounds must be at least 1")
    return options


def _wanted(options: argparse.Namespace) -> Sequence[str]:
    """The names of what is measured."""
    only: Sequence[str] = options.only or ()
    return only or (NAMES if options.large else USUAL)


def run(options: argparse.Namespace, folder: Path) -> report.Report:
    """Measure what was asked for."""
    began = report.now()
    wanted = _wanted(options)
    rows: list[Row] = []
    proof: Proof | None = None
    found: list[Figure] = []
    turns = [nanoseconds_per_turn()]
    names = [name for name in loads.NAMES if name in wanted]
    if names:
        rows, proof = loads.measure(folder / "data", names, options.rounds, options.seconds, progress.print)
        found += loads.figures(rows)
        turns.append(nanoseconds_per_turn())
    values: dict[str, list[float]] = {"turn": turns}
    for name in inside.SETS:
        if name in wanted:
            progress.print(f"inside: {name}")
            values |= inside.measure(name, folder, options.quick)
            turns.append(nanoseconds_per_turn())
    if "ready" in wanted:
        progress.print("butai up to ready")
        values |= readiness.measure(folder / "ready", options.quick)
    extent = Extent(options.rounds, options.seconds, options.quick, options.large)
    for name, measure in sections.SECTIONS.items():
        if name in wanted:
            progress.print(f"section: {name}")
            (folder / name).mkdir()
            values |= measure(folder / name, extent, progress.print)
            turns.append(nanoseconds_per_turn())
    if LARGE in wanted:
        values |= large.measure(folder, options.rounds, options.seconds, progress.print)
        values |= inside.measure("large", folder / "large", options.quick)
    found += [figure(name, of) for name, of in values.items()]
    found.sort(key=lambda one: list(FIGURES).index(one.name))
    facts = machine.facts(folder)
    return report.Report(began, options.seconds, options.rounds, facts, rows, found, proof)


def main(given: Sequence[str] | None = None) -> int:
    """The exit status: 0 whatever was measured, 1 when something failed, 2 for wrong usage or no wrk."""
    options = arguments(sys.argv[1:] if given is None else given)
    if not WITH_WRK.isdisjoint(_wanted(options)) and not wrk.installed():
        others = [name for name in USUAL if name not in WITH_WRK]
        sys.stderr.write(f"bench: {wrk.MISSING} (without it: --only {' --only '.join(others)})\n")
        return 2
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    options.data.mkdir(parents=True, exist_ok=True)
    RESULTS.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="data-", dir=options.data)).resolve()
    try:
        found = run(options, folder)
    except FAILURES as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder)
    report.show(found, screen)
    saved = report.save(found, RESULTS)
    screen.print(f"saved as {saved.relative_to(RESULTS.parent.parent)}")
    return 0 if found.proof is None or found.proof.holds else 1


if __name__ == "__main__":
    sys.exit(main())
