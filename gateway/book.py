"""``butai book``: a calendar file's occurrences become reservations of a space, over the REST gateway.

Every occurrence has an id of its own, made from what the calendar says (UID and RECURRENCE-ID), so booking
the same file again adds nothing but what is missing: what is new, was in conflict or has been cancelled.
Occurrences are asked for eight at a time; each is retried while the gateway is busy or away. Each is for one
guest: a calendar does not say how many people come.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from gateway.booking_client import PATIENCE, BookingClient, Outcome, SpaceNotOpen, Unavailable
from gateway.calendar_file import CalendarError, load, read
from gateway.calendar_items import Item, Skipped

AT_ONCE = 8

STYLES = {
    Outcome.RESERVED: "green",
    Outcome.THERE: "cyan",
    Outcome.CONFLICT: "red",
    Outcome.REFUSED: "red",
    Outcome.FAILED: "red",
}


class BookError(Exception):
    """Nothing could be booked; the message is one line."""


def book_file(
    file: Path,
    space: str,
    *,
    guest: str | None = None,
    until: date | None = None,
    url: str = "http://127.0.0.1:8080",
    console: Console | None = None,
    patience: float = PATIENCE,
) -> int:
    """Book a calendar file and print what became of each occurrence; to be called in the main thread.

    Returns the exit status: 0 if everything is booked, now or before, or was skipped for a good reason; 1 if
    there was a conflict, a refusal or a failure, or an event could not be read. Raises BookError."""
    try:
        data = load(file)
    except CalendarError as error:
        raise BookError(str(error)) from error
    booking = book(data, space, guest=guest, until=until, url=url, console=console, patience=patience)
    try:
        return asyncio.run(booking)
    except CalendarError as error:
        raise BookError(f"{file}: {error}") from error


async def book(
    data: bytes,
    space: str,
    *,
    guest: str | None = None,
    until: date | None = None,
    url: str = "http://127.0.0.1:8080",
    console: Console | None = None,
    patience: float = PATIENCE,
) -> int:
    """``book_file`` for a calendar's bytes; raises CalendarError and BookError."""
    console = console or Console()
    async with BookingClient(url, space, patience) as client:
        items = read(data, await _zone(client, space, url), until, guest)
        if not items:
            console.print("The calendar has no events.", highlight=False)
            return 0
        with Progress(
            TextColumn("booking"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as progress:
            report = Report(progress, len(items))
            pending = iter(items)  # shared: each worker takes the next
            async with asyncio.TaskGroup() as workers:
                for _ in range(AT_ONCE):
                    workers.create_task(_work(client, pending, report))
    console.print(report.summary(), highlight=False)
    return 1 if report.failed else 0


class Report:
    """Prints a line for each item as it is done, and counts."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.failed = False
        self._progress = progress
        self._task = progress.add_task("booking", total=total)
        self._counts: Counter[str] = Counter()

    def add(self, item: Item, outcome: str, why: str, style: str, failed: bool) -> None:
        """One item is done."""
        self.failed |= failed
        self._counts[outcome] += 1
        line = Text(f"{outcome:<14}", style)
        line.append(item.what if isinstance(item, Skipped) else str(item), "default")
        if why:
            line.append(f": {why}", "default")
        self._progress.console.print(line, soft_wrap=True, highlight=False)
        self._progress.advance(self._task)

    def summary(self) -> str:
        """How many of each."""
        return ", ".join(f"{count} {outcome}" for outcome, count in sorted(self._counts.items()))


async def _work(client: BookingClient, pending: Iterator[Item], report: Report) -> None:
    for item in pending:
        if isinstance(item, Skipped):
            report.add(item, "skipped", item.why, "red" if item.failed else "yellow", item.failed)
            continue
        outcome, why = await client.reserve(item)
        report.add(item, outcome, why, STYLES[outcome], outcome not in (Outcome.RESERVED, Outcome.THERE))


async def _zone(client: BookingClient, space: str, url: str) -> ZoneInfo:
    try:
        return ZoneInfo(await client.time_zone())
    except SpaceNotOpen:
        raise BookError(f"space {space!r} is not open for booking at {url}") from None
    except Unavailable as error:
        raise BookError(f"{url} does not answer: {error}") from error
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BookError(f"the time zone of space {space!r} is unknown here: {error}") from error
