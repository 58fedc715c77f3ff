"""One event of a calendar file, with everything that repeats or changes it: a series of occurrences."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import icalendar
import recurring_ical_events

from gateway.calendar_items import Item, Occurrence, Reading, Skipped, one_line, reservation_id
from gateway.time_limit import TookTooLong, time_limit

OCCURRENCES = 5_000
"""Of one event at most."""
SECONDS = 0.8
"""Of computing, to work out one event's rule."""

BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What the calendar libraries raise when a file is not what they expect."""

_DEFINING = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")
_BEGINNING = (1900, 1, 1)


def items_of(calendar: icalendar.Calendar, reading: Reading, seconds: float = SECONDS) -> list[Item]:
    """The occurrences of a calendar whose events share a UID, by start, and what was skipped."""
    events = calendar.events
    what = _describe(events[0])
    fault = next((fault for event in events if (fault := _fault(event))), None)
    if fault:
        return [Skipped(what, fault, failed=True)]
    unwanted = [_unwanted(event) for event in events]
    if unwanted[0] and all(unwanted):
        return [Skipped(what, unwanted[0])]
    try:
        with time_limit(min(SECONDS, max(seconds, 0.001))):
            return _items(calendar, reading, what)
    except TookTooLong:
        why = "its rule cannot be worked out in a second; --until with an earlier day may help"
        return [Skipped(what, why, failed=True)]
    except BROKEN as error:
        return [Skipped(what, f"cannot be understood: {one_line(error)}", failed=True)]


def start_of(event: icalendar.Event) -> date | None:
    """An event's DTSTART, a date or a datetime; None if there is none, or it cannot be read."""
    try:
        return _date(event, "DTSTART")
    except ValueError:
        return None


def _property(event: icalendar.Event, name: str) -> icalendar.vDDDTypes:
    value = event.get(name)
    if not isinstance(value, icalendar.vDDDTypes):
        raise ValueError(f"its {name} cannot be read")
    return value


def _date(event: icalendar.Event, name: str) -> date:
    value = _property(event, name).dt
    if not isinstance(value, date):
        raise ValueError(f"its {name} is neither a date nor a time")
    return value


def _fault(event: icalendar.Event) -> str | None:
    """Why an event's times cannot be trusted."""
    for name, _error in event.errors:
        if name in _DEFINING:
            return f"its {name} cannot be read"
    if "DTSTART" not in event:
        return "it has no DTSTART"
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        value = event.get(name)
        if isinstance(value, list):
            return f"it has more than one {name}"
        if value is None:
            continue
        if not isinstance(value, icalendar.vDDDTypes) or not isinstance(value.dt, date):
            return f"its {name} cannot be read"
        zone = value.params.get("TZID")
        if zone and isinstance(value.dt, datetime) and value.dt.tzinfo is None:
            return f"its time zone {one_line(zone, 60)!r} is unknown"
    return None


def _unwanted(event: icalendar.Event) -> str | None:
    """Why an event takes up no time."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return "cancelled"
    if str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
        return "takes up no time (TRANSP:TRANSPARENT)"
    return None


def _items(calendar: icalendar.Calendar, reading: Reading, what: str) -> list[Item]:
    stop = datetime.combine(reading.until, time()) + timedelta(days=2)
    query = recurring_ical_events.of(calendar, keep_recurrence_attributes=True)
    found: list[icalendar.Event] = query.between(_BEGINNING, stop)
    if len(found) > OCCURRENCES:
        why = f"it happens more than {OCCURRENCES} times until {reading.until}; see --until"
        return [Skipped(what, why, failed=True)]
    recurring = any(
        name in event for event in calendar.events for name in ("RRULE", "RDATE", "RECURRENCE-ID")
    )
    exact = any(_lasts_exactly(event) for event in calendar.events)
    items = [
        item
        for event in found
        if reading.day(_date(event, "DTSTART")) <= reading.until
        for item in [_item(event, reading, recurring, exact)]
    ]
    occurrences = sorted((i for i in items if isinstance(i, Occurrence)), key=lambda each: each.start)
    skipped = list(_together(i for i in items if isinstance(i, Skipped)))
    if not items:
        skipped.append(Skipped(what, _why_never(calendar.events[0], reading)))
    elif any(_goes_on(event) for event in calendar.events):
        skipped.append(Skipped(what, f"it goes on without end; nothing after {reading.until} was read"))
    return [*occurrences, *skipped]


def _item(event: icalendar.Event, reading: Reading, recurring: bool, exact: bool) -> Item:
    """One occurrence, as the library made it: with DTSTART, DTEND and RECURRENCE-ID."""
    raw = _date(event, "DTSTART")
    what = _describe(event)
    if why := _unwanted(event):
        return Skipped(what, why)
    if "RRULE" in event and reading.is_left_out(raw):
        return Skipped(what, "the clocks leave this time out on that day")
    raw_end = _date(event, "DTEND")
    start, end = reading.instant(raw), reading.instant(raw_end)
    if exact and isinstance(raw, datetime) and isinstance(raw_end, datetime):
        end = start + (raw_end.replace(tzinfo=None) - raw.replace(tzinfo=None))
    if end <= start:
        return Skipped(what, "it has no length" if end == start else "it ends before it starts")
    summary = one_line(event.get("SUMMARY", "")) or "no summary"
    uid = str(event.get("UID") or f"{summary}\0{start.astimezone(UTC).isoformat()}")
    return Occurrence(
        uid=uid,
        reservation=reservation_id(uid, _recurrence(event, reading) if recurring else ""),
        start=start,
        end=end,
        summary=summary,
        guest=reading.guest or _organizer(event) or summary,
    )


def _lasts_exactly(event: icalendar.Event) -> bool:
    """Whether an event has a duration in hours. The library reckons on the wall clock, which is right for an
    event with DTEND or a duration in days, but not for an hour in the night of a clock change."""
    duration = event.get("DURATION")
    length = duration.dt if isinstance(duration, icalendar.vDDDTypes | icalendar.vDuration) else None
    return isinstance(length, timedelta) and bool(length % timedelta(days=1))


def _recurrence(event: icalendar.Event, reading: Reading) -> str:
    """The instant at which the rule put an occurrence, wherever it has been moved since."""
    # With a RANGE it is the same for all that were moved: it names the first.
    first_of_many = "RANGE" in _property(event, "RECURRENCE-ID").params
    original = _date(event, "DTSTART" if first_of_many else "RECURRENCE-ID")
    return reading.instant(original).astimezone(UTC).isoformat()


def _organizer(event: icalendar.Event) -> str:
    organizer = event.get("ORGANIZER")
    if organizer is None or isinstance(organizer, list):
        return ""
    address = str(organizer)
    return one_line(organizer.params.get("CN", "")) or one_line(
        address[7:] if address[:7].lower() == "mailto:" else address
    )


def _goes_on(event: icalendar.Event) -> bool:
    rules = event.get("RRULE", [])
    return any("COUNT" not in r and "UNTIL" not in r for r in (rules if isinstance(rules, list) else [rules]))


def _why_never(event: icalendar.Event, reading: Reading) -> str:
    start = start_of(event)
    assert start is not None
    if reading.day(start) > reading.until:
        return f"it begins after {reading.until}"
    if start.year < _BEGINNING[0]:
        return f"it begins before {_BEGINNING[0]}"
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        for until in rule.get("UNTIL", []):
            if reading.instant(until) < reading.instant(start):
                return "its rule ends before it starts"
    return "it never happens: every occurrence is excluded"


def _describe(event: icalendar.Event) -> str:
    start = start_of(event)
    when = f"{start:%Y-%m-%d %H:%M}" if isinstance(start, datetime) else str(start or "")
    return f"{when} {one_line(event.get('SUMMARY', ''), 80) or 'no summary'}".strip()


def _together(skipped: Iterable[Skipped]) -> Iterable[Skipped]:
    """One line for each reason."""
    reasons: dict[str, list[Skipped]] = {}
    for each in skipped:
        reasons.setdefault(each.why, []).append(each)
    for why, alike in reasons.items():
        more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
        yield Skipped(alike[0].what + more, why, alike[0].failed)
