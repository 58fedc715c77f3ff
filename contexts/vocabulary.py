"""The words a bounded context is written in.

A context is plain data and pure functions:

- a *value* is immutable data; a *command* asks, an *event* states what happened, a *rejection* says why not;
- an *aggregate* decides commands and evolves its state by events, alone and in order;
- a *context* lists its aggregates and the routes by which commands and queries reach them.

The annotations of ``decide`` and ``evolve`` are the contract: what may arrive, what may happen and what
may be refused is read from them, by mypy and by the gateway alike. Nothing here knows of a cluster, a
database or HTTP, so domain code runs and is tested without them.
"""

import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Generic, TypeVar, dataclass_transform

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""An instant with its offset from UTC, as in RFC 3339: ``2027-01-15T10:00:00+09:00``. Naive ones are refused.

The offset is kept: what was asked in local time is answered in local time."""

Meta = msgspec.Meta
"""Limits on a field: ``Annotated[int, Meta(ge=1, le=100)]``. They hold where data arrives from outside, so
commands carry them; events, which are facts, do not, or a tightened limit would make history unreadable."""

# `$` also matches before a trailing newline; `(?!\n)` keeps it out, in Python and ECMAScript alike.
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._~:@-]*(?!\n)$")]
"""A name by which things are found: 1 to 64 letters, digits and ``. _ ~ : @ -``, as they are in a URL."""

Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f\u2028\u2029]*(?!\n)$",
    ),
]
"""One line for people to read: 1 to 200 characters, none of them a control character, the first no space."""

ZoneName = Annotated[
    str, Meta(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*(?!\n)$", examples=["Asia/Tokyo"])
]
"""A name as in the IANA time zone database: ``Europe/Berlin``. ``time_zone`` tells whether there is one."""

TimeOfDay = Annotated[str, Meta(max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["09:00"])]
"""A local time of day, ``00:00`` to ``23:59``."""

EndOfDay = Annotated[
    str, Meta(max_length=5, pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", examples=["22:00"])
]
"""A local time of day by which something ends, ``00:00`` to ``24:00``."""


@cache
def _zone_names() -> frozenset[str]:
    """Read once: it opens some 600 files. ``localtime`` means another zone on every machine."""
    return frozenset(zoneinfo.available_timezones()) - {"localtime"}


def time_zone(name: str) -> zoneinfo.ZoneInfo | None:
    """The time zone of this IANA name, or None where there is none."""
    return zoneinfo.ZoneInfo(name) if name in _zone_names() else None


@dataclass_transform(frozen_default=True)
class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Immutable data with checked, annotated fields. Unknown fields are refused."""


class State(msgspec.Struct):
    """What an aggregate remembers. It belongs to one entity alone, so ``evolve`` may change it in place."""


@dataclass_transform(frozen_default=True)
class Command(Value, frozen=True):
    """A wish. Its fields come from the request's body and from the route's path parameters."""


@dataclass_transform(frozen_default=True)
class Event(Value, frozen=True):
    """A fact. The class name and ``schema`` are stored with every event: rename only with an upcaster."""

    schema: ClassVar[int] = 1


@dataclass_transform(frozen_default=True)
class Rejection(Value, frozen=True):
    """A refusal by the domain, as a value. The docstring is what people read; fields are details.

    Stated as such it is a conflict with the present state; the subclasses name other kinds."""


class NotFound(Rejection, frozen=True):
    """What the command or query speaks of does not exist."""


class Forbidden(Rejection, frozen=True):
    """The caller may not do this."""


class Invalid(Rejection, frozen=True):
    """The command contradicts itself: no state could accept it."""


class Principal(Value, frozen=True):
    """Who asks, as the gateway proved it."""

    subject: str = "anonymous"
    roles: frozenset[str] = frozenset()
    claims: dict[str, str] = {}


ANONYMOUS = Principal()


class Call(Value, frozen=True):
    """The circumstances of one command: ``now`` becomes the event's ``at``, ``by`` is the principal."""

    now: Moment
    by: Principal = ANONYMOUS


S = TypeVar("S")

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes an event's fields as plain data from one schema version to the next."""


class Aggregate(Generic[S]):
    """A consistency boundary: its name, its initial state, ``decide`` and ``evolve``.

    ``decide(state, command)`` or ``decide(state, command, call)`` returns a list of events (empty: nothing
    to do) or a rejection; it must not change the state. ``evolve(state, event)`` returns the next state,
    which may be the same object, changed. Both are pure otherwise: no clock, no input or output.

    ``upcasters`` maps (stored event name, schema version) to the function that lifts it one version.
    """

    __slots__ = ("decide", "evolve", "initial", "name", "upcasters")

    def __init__(
        self,
        name: str,
        initial: S,
        decide: Callable[..., Sequence[Event] | Rejection],
        evolve: Callable[[S, Any], S],
        upcasters: Mapping[tuple[str, int], Upcaster] | None = None,
    ) -> None:
        self.name = name
        self.initial = initial
        self.decide = decide
        self.evolve = evolve
        self.upcasters: Mapping[tuple[str, int], Upcaster] = upcasters or {}

    def __repr__(self) -> str:
        return f"Aggregate({self.name!r})"


class CommandRoute(Value, frozen=True):
    """Where a command arrives. The parameter named like the aggregate is the entity's id, the others fill
    fields of the command. ``creates`` is the path of the thing that an accepted command brings to life."""

    method: ClassVar[str] = ""
    path: str
    command: type[Command]
    creates: str | None = None


class Post(CommandRoute, frozen=True):
    """A command by POST."""

    method: ClassVar[str] = "POST"


class Put(CommandRoute, frozen=True):
    """A command by PUT."""

    method: ClassVar[str] = "PUT"


class Patch(CommandRoute, frozen=True):
    """A command by PATCH."""

    method: ClassVar[str] = "PATCH"


class Delete(CommandRoute, frozen=True):
    """A command by DELETE; it has no body."""

    method: ClassVar[str] = "DELETE"


class Get(Value, frozen=True):
    """A query: the state of an aggregate, or with ``part(state, *parameters)`` the part of it that the
    path's other parameters name, in their order; ``None`` means there is no such part.

    A whole aggregate's path also answers its past (``?version=N``) and, under ``/events``, its history."""

    path: str
    source: Aggregate[Any]
    part: Callable[..., Any] | None = None


Route = CommandRoute | Get


class Context:
    """A bounded context's manifest: its name, aggregates and routes (paths below ``/<name>``)."""

    __slots__ = ("aggregates", "name", "routes", "summary")

    def __init__(
        self,
        name: str,
        *,
        summary: str = "",
        aggregates: Sequence[Aggregate[Any]],
        routes: Sequence[Route],
    ) -> None:
        self.name = name
        self.summary = summary
        self.aggregates = tuple(aggregates)
        self.routes = tuple(routes)

    def __repr__(self) -> str:
        return f"Context({self.name!r})"
