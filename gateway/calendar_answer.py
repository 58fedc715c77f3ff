"""A calendar as iCalendar (RFC 5545), its times on the wall clock of its zone."""

from datetime import UTC, datetime, time, timedelta
from importlib.metadata import version
from zoneinfo import ZoneInfo

import icalendar

from contexts.vocabulary import Calendar, CalendarEntry, time_zone
from gateway.calendar_lines import line, text
from gateway.calendar_zone import zone_component

PRODUCT = f"-//Butai//Butai {version('butai')}//EN"
PADDING = timedelta(days=366)
"""Around the entries, what a zone's clock changes are told of: a client may show a year around them."""


_WALL = "%Y%m%dT%H%M%S"


class NoSuchZone(Exception):
    """The calendar's time zone is none of the IANA database."""


def render_calendar(calendar: Calendar) -> bytes:
    """The file's bytes: lines end with CRLF and are folded at 75 octets (section 3.1). Raises NoSuchZone."""
    zone = time_zone(calendar.time_zone)
    if zone is None:
        raise NoSuchZone(calendar.time_zone)
    rendered = icalendar.Calendar()
    rendered.add("prodid", PRODUCT)
    rendered.add("version", "2.0")
    rendered.add("calscale", "GREGORIAN")
    # NAME is of RFC 7986; many clients still look for its forerunner.
    rendered.add("name", calendar.name)
    rendered.add("x-wr-calname", calendar.name)
    rendered.add("x-wr-timezone", calendar.time_zone)
    if calendar.entries:
        rendered.add_component(_zone(calendar, zone))
    head, end, _ = bytes(rendered.to_ical()).partition(b"END:VCALENDAR\r\n")
    return head + b"".join([_event(entry, zone) for entry in calendar.entries]) + end


def _zone(calendar: Calendar, zone: ZoneInfo) -> icalendar.Timezone:
    first = min(entry.start for entry in calendar.entries).astimezone(UTC)
    last = max(entry.end for entry in calendar.entries).astimezone(UTC)
    # Whole days, so that the component is the same for a while.
    begin, end = (first - PADDING).date(), (last + PADDING).date()
    midnight = time(tzinfo=UTC)
    return zone_component(
        zone, calendar.time_zone, datetime.combine(begin, midnight), datetime.combine(end, midnight)
    )


def _event(entry: CalendarEntry, zone: ZoneInfo) -> bytes:
    changed = f"{entry.changed.astimezone(UTC):{_WALL}Z}"
    start, end = entry.start.astimezone(zone), entry.end.astimezone(zone)
    if zone.key == "UTC" or _said_twice(start) or _said_twice(end):
        at, mark, start, end = "", "Z", entry.start.astimezone(UTC), entry.end.astimezone(UTC)
    else:
        at, mark = f";TZID={zone.key}", ""
    lines = [
        b"BEGIN:VEVENT\r\n",
        line("UID", text(entry.uid)),
        line("DTSTAMP", changed),
        line("LAST-MODIFIED", changed),
        line(f"DTSTART{at}", f"{start:{_WALL}}{mark}"),
        line(f"DTEND{at}", f"{end:{_WALL}}{mark}"),
        line("SUMMARY", text(entry.summary)),
        line("STATUS", "TENTATIVE" if entry.tentative else "CONFIRMED"),
    ]
    if entry.description:
        lines.append(line("DESCRIPTION", text(entry.description)))
    return b"".join([*lines, b"END:VEVENT\r\n"])


def _said_twice(local: datetime) -> bool:
    """It is the second time that the clock shows this, having been set back. A local time means the first
    (section 3.3.5), so such an event is told in UTC."""
    return bool(local.fold) and local.utcoffset() != local.replace(fold=0).utcoffset()
