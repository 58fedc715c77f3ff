"""One run as tables for people and as JSON for programs."""

import statistics
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.machine import Machine
from bench.proof import Proof
from bench.reach import Figure, Verdict
from bench.rounds import Row

WIDTH = 120
QUIET = 0.1
"""Part of the processors that others may use before the figures mean little."""
LOADS = {
    "bare": "bare aiohttp handler",
    "spread": "durable commands, 10,000 entities",
    "hot": "durable commands, one entity",
    "get": "GET of state",
    "retry": "retried idempotent command",
}
COLOURS = {Verdict.AIM: "green", Verdict.MET: "yellow", Verdict.MISSED: "red"}


class Report(msgspec.Struct, frozen=True):
    """Everything one run found."""

    began: str
    seconds: float
    """Per slice."""
    rounds: int
    machine: Machine
    rows: list[Row]
    figures: list[Figure]
    proof: Proof | None = None


def show(report: Report, console: Console) -> None:
    """Print it."""
    console.print()
    if report.rows:
        console.print(_loads(report.rows))
    if report.figures:
        console.print(_figures(report.figures))
    if report.rows:
        _tell_of_others(report.rows, console)
    console.print(str(report.machine), style=None if report.machine.on_disk else "red")
    if report.proof is not None:
        console.print(str(report.proof), style=None if report.proof.holds else "red")


def _tell_of_others(rows: list[Row], console: Console) -> None:
    others = statistics.median(one.others for row in rows for one in row.measured)
    busy = others > QUIET
    told = ": TOO MUCH, expect other figures on a quiet machine" if busy else ""
    console.print(f"other processes used {others:.0%} of the processors{told}", style="red" if busy else None)


def save(report: Report, folder: Path) -> Path:
    """Write it to ``<folder>/<when it began>.json``."""
    path = folder / f"{report.began.replace(':', '')}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    return path


def now() -> str:
    """When a run begins, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _loads(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, title="wrk -t1 -c64, median of the slices", title_justify="left")
    table.add_column("load", no_wrap=True)
    headers = (
        "requests/s",
        "low-high",
        "p50 ms",
        "p99 ms",
        "/ bare",
        "low-high",
        "CPU us",
        "/ bare",
        "RSS MB",
    )
    for header in headers:
        table.add_column(header, justify="right")
    for row in rows:
        table.add_row(LOADS[row.name], *_cells(row))
    return table


def _cells(row: Row) -> list[str]:
    median = statistics.median
    rates = [one.slice.rate for one in row.measured]
    ratios = [one.rate for one in row.compared]
    return [
        f"{median(rates):,.0f}",
        f"{min(rates):,.0f}-{max(rates):,.0f}",
        f"{median(one.slice.p50 for one in row.measured) / 1e3:.2f}",
        f"{median(one.slice.p99 for one in row.measured) / 1e3:.2f}",
        f"{median(ratios):.2f}" if ratios else "1",
        f"{min(ratios):.2f}-{max(ratios):.2f}" if ratios else "",
        f"{median(one.cpu for one in row.measured) * 1e6:.1f}",
        f"{median(one.cpu for one in row.compared):.2f}" if ratios else "1",
        f"{max(one.rss for one in row.measured) / 1e6:.0f}",
    ]


def _figures(figures: list[Figure]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("\nfigure")
    for header in ("measured", "low-high", "of", "at least", "aim", ""):
        table.add_column(f"\n{header}", justify="right")
    for figure in figures:
        verdict, target = figure.verdict, figure.target
        spread = "" if figure.low == figure.high else f"{_number(figure.low)}-{_number(figure.high)}"
        table.add_row(
            figure.text,
            f"{_number(figure.value)} {figure.unit}".rstrip(),
            spread,
            "" if figure.count == 1 else str(figure.count),
            ""
            if target is None
            else ("at most " if target.less_is_better else "") + _number(target.at_least),
            "" if target is None else _number(target.aim),
            "" if verdict is None else f"[{COLOURS[verdict]}]{verdict}[/]",
        )
    return table


def _number(value: float) -> str:
    """As many digits as mean something; a ratio just below its promise must not look as if it kept it."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}".removesuffix("0") if value < 10 else f"{value:.1f}"
