"""What a checker must know of the domain it watches, and that knowledge for booking's spaces."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from contexts.booking import events
from contexts.booking.commands import Hold
from contexts.booking.space import Space, aggregate, reservation
from contexts.vocabulary import Aggregate, Command, Event


class Subject(NamedTuple):
    """One aggregate under test. Everything is pure."""

    context: str
    aggregate: Aggregate[Any]
    events: Mapping[str, type[Event]]
    part: Callable[[Any, str], Any]
    """The named part of a state as a query shows it; None if there is none."""
    moments: Callable[[Any, Command], Iterable[datetime]]
    """The instants at which what the state decides on the command changes by itself."""
    marks: Callable[[Any], Iterator[str]]
    """The names in an answer's decoded JSON that belong to one entity alone."""
    named: Callable[[Command], str | None]
    """The name in a command that belongs to its entity alone."""

    def initial(self) -> Any:
        """A state of its own, since ``evolve`` may change it in place."""
        state = self.aggregate.initial
        return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=type(state))


def _expiries(space: Space, command: Command) -> Iterator[datetime]:
    if isinstance(command, Hold):
        yield command.expires
    yield from (each.expires for each in space.reservations.values() if each.expires is not None)


def _marks(body: Any) -> Iterator[str]:
    if isinstance(body, list):
        for each in body:
            yield from _marks(each)
    elif isinstance(body, dict):
        for name, value in body.items():
            if name in ("reservation", "guest"):
                yield str(value)
            elif name == "reservations" and isinstance(value, dict):
                yield from value
            yield from _marks(value)


SPACES = Subject(
    context="booking",
    aggregate=aggregate,
    events={
        each.__name__: each
        for each in (
            events.Opened,
            events.Reserved,
            events.Held,
            events.Confirmed,
            events.Rescheduled,
            events.Cancelled,
            events.Expired,
        )
    },
    part=reservation,
    moments=_expiries,
    marks=_marks,
    named=lambda command: getattr(command, "reservation", None),
)
"""Booking's spaces. The load gives a guest the name of the reservation, so that it too names the space."""
