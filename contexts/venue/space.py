"""A space is a room of the venue: what it is called, whom it holds, when it is open."""

from typing import Annotated, Literal

from contexts.vocabulary import (
    Aggregate,
    Command,
    EndOfDay,
    Event,
    Invalid,
    Meta,
    Rejection,
    State,
    Text,
    TimeOfDay,
    ZoneName,
    time_zone,
)

Kind = Literal["seminar_hall", "meeting_room", "cafe_space"]


class Register(Command):
    """Add a space to the venue. Hours that close at or before the time they open end on the next day."""

    kind: Kind
    name: Text
    capacity: Annotated[int, Meta(ge=1, le=1_000_000)]
    time_zone: ZoneName
    opens: TimeOfDay
    closes: EndOfDay


class Registered(Event):
    """A space was added. Name and fields are stored."""

    kind: str
    name: str
    capacity: int
    time_zone: str
    opens: str
    closes: str


class AlreadyRegistered(Rejection):
    """The venue already has a space of that id."""


class UnknownTimeZone(Invalid):
    """The IANA time zone database has no zone of that name."""


class Space(State):
    """A registered space; without a kind until it is."""

    kind: str = ""
    name: str = ""
    capacity: int = 0
    time_zone: str = ""
    opens: str = ""
    closes: str = ""


def evolve(space: Space, event: Registered) -> Space:
    """What was registered."""
    return Space(event.kind, event.name, event.capacity, event.time_zone, event.opens, event.closes)


def decide(space: Space, command: Register) -> list[Registered] | AlreadyRegistered | UnknownTimeZone:
    """A space is registered once, in a time zone that exists."""
    if space.kind:
        return AlreadyRegistered()
    if time_zone(command.time_zone) is None:
        return UnknownTimeZone()
    c = command
    return [Registered(c.kind, c.name, c.capacity, c.time_zone, c.opens, c.closes)]


aggregate = Aggregate("space", Space(), decide, evolve)
