"""Why a space may refuse. Clients see the names: ``TooManyGuests`` is ``/problems/too-many-guests``."""

from contexts.vocabulary import Invalid, NotFound, Rejection


class NotOpen(NotFound):
    """The space was never opened for booking."""


class AlreadyOpen(Rejection):
    """The space is already open for booking."""


class UnknownTimeZone(Invalid):
    """The IANA time zone database has no zone of that name."""


class NoSuchReservation(NotFound):
    """The space has no reservation of that id."""


class Taken(Rejection):
    """The slot, or the reservation's id, is already taken."""


class TooManyGuests(Rejection):
    """The space does not hold that many guests."""

    capacity: int


class OutsideOpeningHours(Rejection):
    """The space is closed during the slot, or a part of it."""

    opens: str
    closes: str
    time_zone: str


class HoldExpired(Rejection):
    """The hold was not confirmed in time."""


class AlreadyPast(Invalid):
    """A hold must expire in the future."""


class ImpossibleSlot(Invalid):
    """A slot ends after it starts, lasts 366 days at most, and lies between the years 1900 and 2200."""


class UnreasonableSpan(Invalid):
    """Availability is told for at most 62 days, which end after they start, between 1900 and 2200."""


Refusals = (
    NotOpen
    | AlreadyOpen
    | UnknownTimeZone
    | NoSuchReservation
    | Taken
    | TooManyGuests
    | OutsideOpeningHours
    | HoldExpired
    | AlreadyPast
    | ImpossibleSlot
)
