"""A space is reserved for slots of time that never overlap.

- a *reservation* stands until it is cancelled;
- a *hold* is a reservation until it expires, unless it is confirmed before. An expired hold stands in
  nobody's way: the first decision that meets it states ``Expired`` and goes on.
"""

from datetime import datetime
from functools import cached_property
from typing import assert_never

from contexts.booking.commands import Cancel, Commands, Confirm, Hold, Open, Reschedule, Reserve
from contexts.booking.events import Cancelled, Confirmed, Events, Expired, Held, Opened, Rescheduled, Reserved
from contexts.booking.hours import are_open
from contexts.booking.rejections import (
    AlreadyOpen,
    AlreadyPast,
    HoldExpired,
    ImpossibleSlot,
    NoSuchReservation,
    NotOpen,
    OutsideOpeningHours,
    Refusals,
    Taken,
    TooManyGuests,
    UnknownTimeZone,
)
from contexts.booking.slot import Slot, slot
from contexts.booking.timeline import Timeline
from contexts.vocabulary import Aggregate, Call, Moment, State, Value, time_zone


class Reservation(Value, omit_defaults=True):
    """A slot that is taken; only a hold ``expires``."""

    guest: str
    guests: int
    start: Moment
    end: Moment
    expires: Moment | None = None

    def has_expired(self, now: datetime) -> bool:
        """At ``expires`` it is over."""
        return self.expires is not None and self.expires <= now

    def slot(self) -> Slot:
        """For how long."""
        return slot(self.start, self.end)


class Space(State, dict=True):
    """A space and what stands on it, by id; of what was cancelled or has expired nothing is kept."""

    capacity: int = 0
    time_zone: str = ""
    opens: str = ""
    closes: str = ""
    reservations: dict[str, Reservation] = {}  # noqa: RUF012 msgspec gives each state its own

    @cached_property
    def timeline(self) -> Timeline:
        """The same reservations by time. It is no field, so it is neither stored nor shown, but made from
        the fields when first asked for."""
        return Timeline((each.slot(), id) for id, each in self.reservations.items())

    def __post_init__(self) -> None:
        # A snapshot is decoded beside the event loop. Later, thousands of reservations would hold it up.
        if self.reservations:
            self.timeline  # noqa: B018


def evolve(space: Space, event: Events) -> Space:
    """Change the space by what happened."""
    match event:
        case Reserved() as e:
            put(space, e.reservation, Reservation(e.guest, e.guests, e.start, e.end))
        case Held() as e:
            put(space, e.reservation, Reservation(e.guest, e.guests, e.start, e.end, e.expires))
        case Cancelled(id) | Expired(id):
            take_out(space, id)
        case Confirmed(id):
            hold = space.reservations[id]
            space.reservations[id] = Reservation(hold.guest, hold.guests, hold.start, hold.end)
        case Rescheduled(id, start, end):
            old = take_out(space, id)
            put(space, id, Reservation(old.guest, old.guests, start, end, old.expires))
        case Opened(capacity, zone, opens, closes):
            space.capacity, space.time_zone, space.opens, space.closes = capacity, zone, opens, closes
        case _:
            assert_never(event)
    return space


def put(space: Space, id: str, reservation: Reservation) -> None:
    """Enter a reservation."""
    space.timeline.add(reservation.slot(), id)
    space.reservations[id] = reservation


def take_out(space: Space, id: str) -> Reservation:
    """Forget a reservation."""
    space.timeline.remove(space.reservations[id].slot())
    return space.reservations.pop(id)


# Decisions


def decide(space: Space, command: Commands, call: Call) -> list[Events] | Refusals:
    """What a command leads to."""
    if not space.capacity:
        return open_for_booking(command) if isinstance(command, Open) else NotOpen()
    match command:  # the commonest first, and without captures: five of them take half a microsecond
        case Reserve() as c:
            return take(space, Reserved(c.reservation, c.guest, c.guests, c.start, c.end), call.now)
        case Hold() as c:
            if c.expires <= call.now:
                return AlreadyPast()
            held = Held(c.reservation, c.guest, c.guests, c.start, c.end, c.expires)
            return take(space, held, call.now)
        case Confirm(id):
            return confirm(space, id, call.now)
        case Reschedule():
            return reschedule(space, command, call.now)
        case Cancel(id):
            return cancel(space, id, call.now)
        case Open():
            return AlreadyOpen()
        case _:
            assert_never(command)


def open_for_booking(command: Open) -> list[Events] | UnknownTimeZone:
    """In a time zone that exists."""
    if time_zone(command.time_zone) is None:
        return UnknownTimeZone()
    return [Opened(command.capacity, command.time_zone, command.opens, command.closes)]


def take(space: Space, wish: Reserved | Held, now: datetime) -> list[Events] | Refusals:
    """Reserve or hold a slot. An id may be used again once its reservation is gone."""
    if wish.guests > space.capacity:
        return TooManyGuests(space.capacity)
    id = wish.reservation
    namesake = space.reservations.get(id)
    if namesake is not None and not namesake.has_expired(now):
        return Taken()
    room = make_room(space, slot(wish.start, wish.end), now, besides=id)
    if isinstance(room, list):
        if namesake is not None:
            room.append(Expired(id))
        room.append(wish)
    return room


def make_room(
    space: Space, wanted: Slot, now: datetime, besides: str
) -> list[Events] | ImpossibleSlot | OutsideOpeningHours | Taken:
    """The expired holds that end so that a slot is free; the reservation ``besides`` is not in its way."""
    if not wanted.is_possible():
        return ImpossibleSlot()
    if not are_open(wanted, space.time_zone, space.opens, space.closes):
        return OutsideOpeningHours(space.opens, space.closes, space.time_zone)
    expired: list[Events] = []
    for id in space.timeline.meeting(wanted):
        if id != besides:
            if not space.reservations[id].has_expired(now):
                return Taken()
            expired.append(Expired(id))
    return expired


def confirm(space: Space, id: str, now: datetime) -> list[Events] | NoSuchReservation | HoldExpired:
    """A reservation that stands needs no confirmation."""
    reservation = space.reservations.get(id)
    if reservation is None:
        return NoSuchReservation()
    if reservation.has_expired(now):
        return HoldExpired()
    return [Confirmed(id)] if reservation.expires is not None else []


def reschedule(space: Space, command: Reschedule, now: datetime) -> list[Events] | Refusals:
    """Its present slot does not stand in its way; a hold expires when it did."""
    id = command.reservation
    reservation = space.reservations.get(id)
    if reservation is None:
        return NoSuchReservation()
    if reservation.has_expired(now):
        return HoldExpired()
    wanted = slot(command.start, command.end)
    if wanted == reservation.slot():
        return []
    room = make_room(space, wanted, now, besides=id)
    if isinstance(room, list):
        room.append(Rescheduled(id, command.start, command.end))
    return room


def cancel(space: Space, id: str, now: datetime) -> list[Events] | NoSuchReservation:
    """Whoever cancels a hold that has expired finds it gone, as they wished."""
    reservation = space.reservations.get(id)
    if reservation is None:
        return NoSuchReservation()
    return [Expired(id) if reservation.has_expired(now) else Cancelled(id)]


aggregate = Aggregate("space", Space(), decide, evolve)


def reservation(space: Space, id: str) -> Reservation | None:
    """One reservation of a space."""
    return space.reservations.get(id)
