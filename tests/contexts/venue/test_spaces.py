"""The spaces of the venue are listed as they were registered."""

from contexts.specification import folded, happened
from contexts.venue import spaces
from contexts.venue.space import Registered, aggregate
from contexts.venue.spaces import Listed


def test_a_registered_space_is_listed() -> None:
    registered = Registered("meeting_room", "会議室 楓", 8, "Asia/Tokyo", "09:00", "22:00")
    folded(spaces.view, happened(aggregate, "maple", registered)).then(
        {"maple": Listed("maple", "meeting_room", "会議室 楓", 8, "Asia/Tokyo", "09:00", "22:00")}
    )
