"""Opening hours: local times of day between which a space may be used.

A day's hours run from ``opens`` to ``closes`` on the wall clock of the space. Hours that close at or before
the time they open end on the next day (``18:00`` to ``02:00``); ``00:00`` to ``24:00``, and hours that
close when they open, never end. Where the clocks change, a time that happens twice opens at the first and
closes at the second of its two instants, and a time that is left out falls on the change itself.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from contexts.booking.slot import EPOCH, Slot

DAY = timedelta(days=1)
MIDNIGHT = datetime(1970, 1, 1)

zone = lru_cache(maxsize=1024)(ZoneInfo)
"""ZoneInfo keeps eight zones itself and reads the others' files anew."""


def are_open(slot: Slot, time_zone: str, opens: str, closes: str) -> bool:
    """Whether the space is open during the whole of ``slot``, which must be possible."""
    if always_open(opens, closes):
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


def always_open(opens: str, closes: str) -> bool:
    """Whether these hours never end."""
    return opens == closes or (opens == "00:00" and closes == "24:00")


def opening_slots(between: Slot, time_zone: str, opens: str, closes: str) -> Iterator[Slot]:
    """When the space is open within ``between``: slots in order that do not meet, as long as can be."""
    if always_open(opens, closes):
        yield between
        return
    day = _local_day(between.start, time_zone) - 1
    pending: Slot | None = None
    while True:
        hours = _hours_of(day, time_zone, opens, closes)
        if hours.start >= between.end:
            break
        day += 1
        start, end = max(hours.start, between.start), min(hours.end, between.end)
        if start >= end:
            continue
        if pending is not None and start <= pending.end:
            # The clocks have been changed: one day's hours run into the next one's.
            pending = Slot(pending.start, max(pending.end, end))
            continue
        if pending is not None:
            yield pending
        pending = Slot(start, end)
    if pending is not None:
        yield pending


def local(instant: timedelta, time_zone: str) -> datetime:
    """What calendar and clock show there, with the offset from UTC."""
    return (EPOCH + instant).astimezone(zone(time_zone))


def fixed(instant: timedelta, time_zone: str) -> datetime:
    """The same with the offset alone, as a moment is stored."""
    shown = local(instant, time_zone)
    offset = shown.utcoffset()
    assert offset is not None
    return shown.replace(tzinfo=timezone(offset), fold=0)


def start_of_day(year: int, month: int, day: int, time_zone: str) -> timedelta:
    """When that day begins there; the clocks may leave its midnight out."""
    return _instant(datetime(year, month, day), zone(time_zone), 0)


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
