"""The availability calendar: when a space is free, in its local time."""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Annotated

from contexts.booking import diary, rooms
from contexts.booking.diary import Entry
from contexts.booking.hours import fixed, opening_slots
from contexts.booking.rejections import NotOpen, UnreasonableSpan
from contexts.booking.rooms import Room
from contexts.booking.slot import Slot, slot
from contexts.vocabulary import Id, Inquiry, Is, Many, Meta, Moment, One, Query, Value

LONGEST = timedelta(days=62)


class Availability(Query):
    """When is a space free between two instants, for at least so many minutes?"""

    space: Id
    start: Moment
    end: Moment
    minutes: Annotated[int, Meta(ge=1, le=44_640)] = 1


class FreeSlot(Value):
    """Moments carry the offset that the space's clocks have then."""

    start: Moment
    end: Moment


class FreeSlots(Value):
    """Within opening hours, in order; what is held counts as taken."""

    space: str
    time_zone: str
    free: list[FreeSlot]


def reads(query: Availability) -> tuple[One[Room], Many[Entry]]:
    """The room, and what is taken meanwhile."""
    taken = (Is("space", "==", query.space), Is("start", "<", query.end), Is("end", ">", query.start))
    return One(rooms.view, query.space), Many(diary.view, *taken, sort="end")


def answer(
    query: Availability, room: Room | None, taken: list[Entry]
) -> FreeSlots | NotOpen | UnreasonableSpan:
    """Opening hours without what is taken."""
    between = slot(query.start, query.end)
    if not between.is_possible() or between.end - between.start > LONGEST:
        return UnreasonableSpan()
    if room is None:
        return NotOpen()
    least = timedelta(minutes=query.minutes)
    open_slots = opening_slots(between, room.time_zone, room.opens, room.closes)
    found = free_of([slot(entry.start, entry.end) for entry in taken], open_slots)
    return FreeSlots(
        query.space,
        room.time_zone,
        [
            FreeSlot(fixed(free.start, room.time_zone), fixed(free.end, room.time_zone))
            for free in found
            if free.end - free.start >= least
        ],
    )


def free_of(taken: list[Slot], open_slots: Iterable[Slot]) -> Iterator[Slot]:
    """What is left of ``open_slots`` without ``taken``; both are in order and meet none of their own."""
    waiting = deque(taken)
    for hours in open_slots:
        start = hours.start
        while waiting and waiting[0].start < hours.end:
            if waiting[0].start > start:
                yield Slot(start, waiting[0].start)
            start = max(start, waiting[0].end)
            if waiting[0].end > hours.end:
                break  # it goes on into the next hours
            waiting.popleft()
        if start < hours.end:
            yield Slot(start, hours.end)


inquiry = Inquiry(reads, answer)
