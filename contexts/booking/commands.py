"""What may be asked of a space."""

from typing import Annotated

from contexts.vocabulary import Command, EndOfDay, Id, Meta, Moment, Text, TimeOfDay, ZoneName

People = Annotated[int, Meta(ge=1, le=1_000_000)]


class Open(Command):
    """Let a space be booked: what booking needs to know of it."""

    capacity: People
    time_zone: ZoneName
    opens: TimeOfDay
    closes: EndOfDay


class Reserve(Command):
    """Take a slot."""

    reservation: Id
    guest: Text
    guests: People
    start: Moment
    end: Moment


class Hold(Command):
    """Take a slot until ``expires``, unless it is confirmed before."""

    reservation: Id
    guest: Text
    guests: People
    start: Moment
    end: Moment
    expires: Moment


class Confirm(Command):
    """Make a hold a reservation that stands."""

    reservation: Id


class Reschedule(Command):
    """Move a reservation or a hold to another slot of the same space."""

    reservation: Id
    start: Moment
    end: Moment


class Cancel(Command):
    """Give a slot back."""

    reservation: Id


Commands = Open | Reserve | Hold | Confirm | Reschedule | Cancel
