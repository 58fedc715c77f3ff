"""Reading an iCalendar file (RFC 5545): which stretches of time it takes up, and what it leaves open.

Nothing in a file is fatal but that it cannot be read at all: every event either gives occurrences or is
reported as skipped, with the reason.
"""

import time
import warnings
from collections.abc import Iterable, Sequence
from datetime import UTC, date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import msgspec

from gateway.calendar_items import Item, Occurrence, Reading, Skipped, one_line, reservation_id
from gateway.calendar_series import BROKEN, items_of, start_of
from gateway.time_limit import TookTooLong, time_limit

FILE_BYTES = 10 * 1024 * 1024
PARSE_SECONDS = 60.0
EXPAND_SECONDS = 60.0
"""For all rules of a file together."""
LAST_DAY = date(2199, 12, 30)
HORIZON = timedelta(days=366)
"""How long rules without an end are followed: from the latest start that the file itself names, so that
reading the same file another day gives the same occurrences."""


class CalendarError(Exception):
    """The file cannot be read; the message is one line."""


def load(path: Path) -> bytes:
    """The bytes of a calendar file; raises CalendarError."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise CalendarError(f"{path}: {error.strerror or error}") from error
    if len(data) > FILE_BYTES:
        raise CalendarError(f"{path}: larger than {FILE_BYTES // 1024 // 1024} MiB")
    return data


def read(data: bytes, zone: ZoneInfo, until: date | None = None, guest: str | None = None) -> list[Item]:
    """What a calendar file holds, event by event in the file's order; raises CalendarError.

    ``until`` is the last day on which an occurrence may start, by default ``HORIZON`` after the latest start
    that the file names. To be called in the main thread (see ``time_limit``)."""
    groups = [group for component in _parse(data) for group in _by_uid(component)]
    reading = Reading(
        zone=zone,
        until=min(until or _horizon(groups), LAST_DAY),
        guest=one_line(guest) if guest else None,
    )
    stop = time.monotonic() + EXPAND_SECONDS
    return _without_twins(
        item for group in groups for item in items_of(group, reading, stop - time.monotonic())
    )


def _parse(data: bytes) -> Sequence[icalendar.Component]:
    try:
        with warnings.catch_warnings(), time_limit(PARSE_SECONDS):
            warnings.simplefilter("ignore")  # of guesses at time zones, which turn out right or are reported
            components = icalendar.Calendar.from_ical(data, multiple=True)
    except TookTooLong:
        raise CalendarError(f"it takes longer than {PARSE_SECONDS:.0f} s to read") from None
    except BROKEN as error:
        raise CalendarError(f"not an iCalendar file: {one_line(error)}") from error
    if not components:
        raise CalendarError("not an iCalendar file, or cut off: it holds no complete component")
    return components


def _by_uid(component: icalendar.Component) -> Iterable[icalendar.Calendar]:
    """A calendar for each UID, so that a broken event spoils no other; an event without UID is alone."""
    groups: dict[str, icalendar.Calendar] = {}
    for number, event in enumerate(component.walk("VEVENT")):
        uid = str(event.get("UID") or f"\0{number}")
        if uid not in groups:
            groups[uid] = icalendar.Calendar()
            if "X-WR-TIMEZONE" in component:
                groups[uid]["X-WR-TIMEZONE"] = component["X-WR-TIMEZONE"]
        groups[uid].subcomponents.append(event)
    return groups.values()


def _horizon(groups: Sequence[icalendar.Calendar]) -> date:
    starts = [start for group in groups for event in group.events if (start := start_of(event)) is not None]
    last = max((date(start.year, start.month, start.day) for start in starts), default=LAST_DAY)
    return min(last, LAST_DAY - HORIZON) + HORIZON


def _without_twins(items: Iterable[Item]) -> list[Item]:
    """Two occurrences of one id are one if they take the same time; if not, the second gets an id of its
    own, as where one change moves all later occurrences."""
    seen: dict[str, Occurrence] = {}
    result: list[Item] = []
    for item in items:
        if isinstance(item, Occurrence) and item.reservation in seen:
            first = seen[item.reservation]
            if (first.start, first.end) == (item.start, item.end):
                result.append(Skipped(str(item), "the file has it twice"))
                continue
            moved = reservation_id(item.uid, item.reservation, item.start.astimezone(UTC).isoformat())
            item = msgspec.structs.replace(item, reservation=moved)
        if isinstance(item, Occurrence):
            seen[item.reservation] = item
        result.append(item)
    return result
