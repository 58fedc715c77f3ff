"""The diary: one entry for each reservation and hold that stands."""

from typing import assert_never

from contexts.booking.events import Cancelled, Confirmed, Expired, Held, Rescheduled, Reserved
from contexts.vocabulary import Moment, Origin, Value, View

Happenings = Reserved | Held | Confirmed | Rescheduled | Cancelled | Expired


class Entry(Value, omit_defaults=True):
    """A slot that is taken; only a hold ``expires``."""

    space: str
    reservation: str
    guest: str
    guests: int
    start: Moment
    end: Moment
    changed: Moment
    """When it became as it is."""
    expires: Moment | None = None


def key(event: Happenings, origin: Origin) -> tuple[str, str]:
    """A reservation's id tells it from others of the same space."""
    return origin.id, event.reservation


def fold(entry: Entry | None, event: Happenings, origin: Origin) -> Entry | None:
    """An entry stands until its reservation is cancelled or expires."""
    space, at = origin.id, origin.at
    match event:
        case Reserved() as e:
            return Entry(space, e.reservation, e.guest, e.guests, e.start, e.end, at)
        case Held() as e:
            return Entry(space, e.reservation, e.guest, e.guests, e.start, e.end, at, e.expires)
        case Cancelled() | Expired():
            return None
    assert entry is not None, "nothing else happens to what does not stand"
    match event:
        case Confirmed():
            return Entry(space, entry.reservation, entry.guest, entry.guests, entry.start, entry.end, at)
        case Rescheduled(_, start, end):
            return Entry(space, entry.reservation, entry.guest, entry.guests, start, end, at, entry.expires)
        case _:
            assert_never(event)


# Slots of a space never overlap: by their ends they are in the order of their starts too.
view = View("diary", None, key, fold, indexes=(("guest", "start"), ("space", "end")))
