"""The spaces of the venue, to be listed and searched."""

from contexts.venue.space import Registered
from contexts.vocabulary import Origin, Value, View


class Listed(Value):
    """A space as it was registered."""

    space: str
    kind: str
    name: str
    capacity: int
    time_zone: str
    opens: str
    closes: str


def key(event: Registered, origin: Origin) -> str:
    """One for each space."""
    return origin.id


def fold(listed: Listed | None, event: Registered, origin: Origin) -> Listed:
    """A space is registered once."""
    e = event
    return Listed(origin.id, e.kind, e.name, e.capacity, e.time_zone, e.opens, e.closes)


view = View(
    "spaces", None, key, fold, indexes=("name", ("kind", "capacity"), "capacity"), search=("name", "space")
)
