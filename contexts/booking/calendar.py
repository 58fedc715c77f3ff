"""The calendar of a space for other programs, as they know calendars. It tells when the space is taken, not
by whom: the address of a calendar gets around."""

from contexts.booking import diary, rooms
from contexts.booking.diary import Entry
from contexts.booking.rejections import NotOpen
from contexts.booking.rooms import Room
from contexts.vocabulary import Calendar, CalendarEntry, Id, Inquiry, Is, Many, Moment, One, Query


class CalendarOf(Query):
    """What is taken of a space; ``start`` and ``end`` say when, without them at any time."""

    space: Id
    start: Moment | None = None
    end: Moment | None = None


def reads(query: CalendarOf) -> tuple[One[Room], Many[Entry]]:
    """The room, and what stands on it."""
    conditions = [Is("space", "==", query.space)]
    if query.end is not None:
        conditions.append(Is("start", "<", query.end))
    if query.start is not None:
        conditions.append(Is("end", ">", query.start))
    return One(rooms.view, query.space), Many(diary.view, *conditions, sort="end")


def answer(query: CalendarOf, room: Room | None, taken: list[Entry]) -> Calendar | NotOpen:
    """One entry for each reservation and hold."""
    if room is None:
        return NotOpen()
    return Calendar(query.space, room.time_zone, [_entry(entry) for entry in taken])


def _entry(entry: Entry) -> CalendarEntry:
    held = entry.expires is not None
    return CalendarEntry(
        uid=f"{entry.reservation}@{entry.space}.booking.butai",
        start=entry.start,
        end=entry.end,
        summary="Held" if held else "Reserved",
        changed=entry.changed,
        tentative=held,
    )


inquiry = Inquiry(reads, answer)
