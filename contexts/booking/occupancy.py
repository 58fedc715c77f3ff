"""Occupancy: how much of its open time a space is taken, month by month on its own calendar."""

from datetime import timedelta
from typing import Annotated

from contexts.booking import diary, rooms
from contexts.booking.diary import Entry
from contexts.booking.hours import local, opening_slots, start_of_day
from contexts.booking.rejections import NotOpen
from contexts.booking.rooms import Room
from contexts.booking.slot import EPOCH, Slot, slot
from contexts.vocabulary import Id, Inquiry, Is, Many, Meta, One, Query, Value

Month = Annotated[
    str, Meta(max_length=7, pattern=r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2027-03"])
]
ELSEWHERE = timedelta(hours=26)
"""No place on earth is further from UTC: what is read is a little more than the month."""
SECOND = timedelta(seconds=1)


class MonthOf(Query):
    """How far is a space taken in a month?"""

    space: Id
    month: Month


class Occupancy(Value):
    """Of one space in one month; a month in which the clocks are changed has an hour more or less."""

    space: str
    month: str
    open_seconds: int
    taken_seconds: int
    share: float
    """Of the open time that is taken, 0 to 1, in four decimals."""
    reservations: int
    """Those that take some of the month, holds among them."""
    days: int
    """Dates on which somebody is there."""


def month_of(month: str, time_zone: str) -> Slot:
    """From its first midnight to that of the next month, on the clocks of the place."""
    year, number = int(month[:4]), int(month[5:])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return Slot(start_of_day(year, number, 1, time_zone), start_of_day(*following, 1, time_zone))


def reads(query: MonthOf) -> tuple[One[Room], Many[Entry]]:
    """The room, and what is taken of the month wherever the room is."""
    whole = month_of(query.month, "UTC")
    start, end = EPOCH + whole.start - ELSEWHERE, EPOCH + whole.end + ELSEWHERE
    taken = (Is("space", "==", query.space), Is("start", "<", end), Is("end", ">", start))
    return One(rooms.view, query.space), Many(diary.view, *taken, sort="end")


def answer(query: MonthOf, room: Room | None, taken: list[Entry]) -> Occupancy | NotOpen:
    """Taken time against open time."""
    if room is None:
        return NotOpen()
    month = month_of(query.month, room.time_zone)
    hours = list(opening_slots(month, room.time_zone, room.opens, room.closes))
    within = [common for entry in taken if (common := _common(slot(entry.start, entry.end), month))]
    open_time = sum((each.end - each.start for each in hours), timedelta(0))
    taken_time = sum((each.end - each.start for each in within), timedelta(0))
    dates = {date for each in within for date in _dates(each, room.time_zone)}
    share = round(taken_time / open_time, 4) if open_time else 0.0
    return Occupancy(
        query.space,
        query.month,
        open_time // SECOND,
        taken_time // SECOND,
        share,
        len(within),
        len(dates),
    )


def _common(one: Slot, other: Slot) -> Slot | None:
    start, end = max(one.start, other.start), min(one.end, other.end)
    return Slot(start, end) if start < end else None


def _dates(taken: Slot, time_zone: str) -> range:
    """As ordinals. What ends at midnight is not there on the next day."""
    first = local(taken.start, time_zone).toordinal()
    last = local(taken.end - timedelta.resolution, time_zone).toordinal()
    return range(first, last + 1)


inquiry = Inquiry(reads, answer)
