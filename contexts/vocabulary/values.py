"""Immutable data: values, commands, events and rejections, the types of their fields, and who asks."""

import zoneinfo
from datetime import datetime
from functools import cache
from typing import Annotated, ClassVar, dataclass_transform

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
