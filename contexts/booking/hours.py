"""Opening hours: local times of day between which a space may be used.

A day's hours run from ``opens`` to ``closes`` on the wall clock of the space. Hours that close at or before
the time they open end on the next day (``18:00`` to ``02:00``); ``00:00`` to ``24:00``, and hours that
close when they open, never end. Where the clocks change, a time that happens twice opens at the first and
closes at the second of its two instants, and a time that is left out falls on the change itself.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from contexts.booking.slot import EPOCH, Slot

DAY = timedelta(days=1)
MIDNIGHT = datetime(1970, 1, 1)

zone = lru_cache(maxsize=1024)(ZoneInfo)
"""ZoneInfo keeps eight zones itself and reads the others' files anew."""


def are_open(slot: Slot, time_zone: str, opens: str, closes: str) -> bool:
    """Whether the space is open during the whole of ``slot``, which must be possible."""
    if opens == closes or (opens == "00:00" and closes == "24:00"):
        return True
    day = _local_day(slot.start, time_zone) - 1
    covered = slot.start
    while covered < slot.end:
        hours = _hours_of(day, time_zone, opens, closes)
        if hours.start > covered:
            return False
        covered = max(covered, hours.end)
        day += 1
    return True


def _local_day(instant: timedelta, time_zone: str) -> int:
    """Days since 1970 on the wall calendar."""
    return (EPOCH + instant).astimezone(zone(time_zone)).toordinal() - EPOCH.toordinal()


@lru_cache(maxsize=65_536)
def _hours_of(day: int, time_zone: str, opens: str, closes: str) -> Slot:
    opening, closing = _since_midnight(opens), _since_midnight(closes)
    if closing <= opening:
        closing += DAY
    midnight = MIDNIGHT + day * DAY
    return Slot(
        _instant(midnight + opening, zone(time_zone), 0), _instant(midnight + closing, zone(time_zone), 1)
    )


def _since_midnight(time: str) -> timedelta:
    hours, minutes = time.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _instant(wall: datetime, place: ZoneInfo, fold: int) -> timedelta:
    """When a wall clock in ``place`` shows ``wall``, for the ``fold``-th time; for a time that the clocks
    leave out, when they do."""
    # PEP 495: where a time is left out, fold 0 reckons with the offset before the change and so lies after
    # it, fold 1 with the offset after it and so lies before it.
    late, early = (wall.replace(tzinfo=place, fold=f).astimezone(UTC) for f in (0, 1))
    if late <= early:
        return (early if fold else late) - EPOCH
    new_offset = late.astimezone(place).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(place).utcoffset() == new_offset:
            late = middle
        else:
            early = middle
    return late.replace(microsecond=0) - EPOCH
