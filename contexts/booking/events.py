"""What happens to a space. Class names and fields are stored: rename only with an upcaster."""

from contexts.vocabulary import Event, Moment


class Opened(Event):
    """The space may be booked."""

    capacity: int
    time_zone: str
    opens: str
    closes: str


class Reserved(Event):
    """A slot was taken."""

    reservation: str
    guest: str
    guests: int
    start: Moment
    end: Moment


class Held(Event):
    """A slot was taken until ``expires``."""

    reservation: str
    guest: str
    guests: int
    start: Moment
    end: Moment
    expires: Moment


class Confirmed(Event):
    """A hold became a reservation."""

    reservation: str


class Rescheduled(Event):
    """A reservation or hold was moved."""

    reservation: str
    start: Moment
    end: Moment


class Cancelled(Event):
    """A slot was given back."""

    reservation: str


class Expired(Event):
    """A hold was not confirmed in time."""

    reservation: str


Events = Opened | Reserved | Held | Confirmed | Rescheduled | Cancelled | Expired
