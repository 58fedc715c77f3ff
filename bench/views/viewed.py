"""Booking with three views, each of which every reservation changes: one entry of a diary, what was taken
last of a space, and how often."""

from bench.views import unviewed
from contexts.booking import diary, space
from contexts.booking.events import Reserved
from contexts.vocabulary import Context, Get, Moment, Origin, Value, View


class Latest(Value):
    """Of a space."""

    space: str
    reservation: str
    start: Moment


class Taken(Value):
    """How often."""

    space: str
    times: int


def by_space(event: Reserved, origin: Origin) -> str:
    """One document for each space."""
    return origin.id


def fold_latest(latest: Latest | None, event: Reserved, origin: Origin) -> Latest:
    """What was taken last."""
    return Latest(origin.id, event.reservation, event.start)


def fold_taken(taken: Taken | None, event: Reserved, origin: Origin) -> Taken:
    """Once more."""
    return Taken(origin.id, 1 if taken is None else taken.times + 1)


latest = View("latest", None, by_space, fold_latest, indexes=("start",))
taken = View("taken", None, by_space, fold_taken, indexes=("times",))

context = Context(
    "booking",
    aggregates=[space.aggregate],
    views=[diary.view, latest, taken],
    routes=[
        *unviewed.context.routes,
        Get("/latest/{space}", latest),
    ],
)

with_diary = Context("booking", aggregates=[space.aggregate], views=[diary.view], routes=[])
"""For what is measured of one view."""
