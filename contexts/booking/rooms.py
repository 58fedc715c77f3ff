"""The rooms: what booking knows of each space, without what stands on it."""

from contexts.booking.events import Opened
from contexts.vocabulary import Origin, Value, View


class Room(Value):
    """A space that may be booked, and when it is open."""

    space: str
    capacity: int
    time_zone: str
    opens: str
    closes: str


def key(event: Opened, origin: Origin) -> str:
    """One for each space."""
    return origin.id


def fold(room: Room | None, event: Opened, origin: Origin) -> Room:
    """A space is opened once."""
    return Room(origin.id, event.capacity, event.time_zone, event.opens, event.closes)


view = View("rooms", None, key, fold, indexes=("capacity", "time_zone"))
