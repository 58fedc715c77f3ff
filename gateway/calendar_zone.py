"""A time zone as a VTIMEZONE (RFC 5545, section 3.6.5): its clock changes in a stretch of time, one by one.

icalendar's own ``Timezone.from_tzinfo`` takes 30 to 300 ms and has wrong offsets for zones that change their
clocks more than twice a year, such as Africa/Casablanca."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar

_STEP = timedelta(days=1)
"""No zone changes its clocks there and back within this."""
_SECOND = timedelta(seconds=1)


def zone_component(zone: ZoneInfo, name: str, begin: datetime, end: datetime) -> icalendar.Timezone:
    """The zone under this name, with every clock change between two instants, which are in UTC."""
    component = icalendar.Timezone()
    component.add("tzid", name)
    component.add_component(_observance(zone, begin, zone.utcoffset(begin.astimezone(zone))))
    for change in _changes(zone, begin, end):
        before = (change - _SECOND).astimezone(zone).utcoffset()
        component.add_component(_observance(zone, change, before))
    return component


def _observance(
    zone: ZoneInfo, onset: datetime, before: timedelta | None
) -> icalendar.TimezoneDaylight | icalendar.TimezoneStandard:
    """What holds from ``onset`` on; its beginning is told on the clock of ``before``."""
    assert before is not None
    local = onset.astimezone(zone)
    observance = icalendar.TimezoneDaylight() if local.dst() else icalendar.TimezoneStandard()
    observance.add("dtstart", (onset + before).replace(tzinfo=None))
    observance.add("tzoffsetfrom", before)
    observance.add("tzoffsetto", local.utcoffset())
    observance.add("tzname", local.tzname())
    return observance


def _changes(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """The instants, in UTC, from which on another offset holds."""
    at = begin
    while at < end:
        following = min(at + _STEP, end)
        if _offset(zone, at) != _offset(zone, following):
            low, high = at, following
            while high - low > _SECOND:
                middle = (low + (high - low) / 2).replace(microsecond=0)
                if _offset(zone, middle) == _offset(zone, at):
                    low = middle
                else:
                    high = middle
            yield high
        at = following


def _offset(zone: ZoneInfo, at: datetime) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
