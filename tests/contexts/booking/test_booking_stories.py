"""Any sequence of commands, against a model that compares every reservation with every other."""

from datetime import datetime, timedelta, timezone

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from contexts.booking.commands import Cancel, Commands, Confirm, Hold, Reschedule, Reserve
from contexts.booking.events import Cancelled, Confirmed, Events, Expired, Held, Opened, Rescheduled, Reserved
from contexts.booking.rejections import HoldExpired, NoSuchReservation, Taken
from contexts.booking.space import Reservation, Space, decide, evolve
from contexts.specification import NOW, stored
from contexts.vocabulary import Call, Rejection

MINUTE = timedelta(minutes=1)
IDS = st.sampled_from("abcdefgh")
SLOTS = st.builds(
    lambda start, length, hours: (
        (NOW + timedelta(hours=start)).astimezone(timezone(timedelta(hours=hours))),
        NOW + timedelta(hours=start + length),
    ),
    st.integers(0, 40),
    st.integers(1, 6),
    st.integers(-12, 14),
)
COMMANDS: st.SearchStrategy[Commands] = st.one_of(
    st.builds(lambda id, slot: Reserve(id, "ada", 1, *slot), IDS, SLOTS),
    st.builds(
        lambda id, slot, minutes: Hold(id, "bob", 1, slot[0], slot[1], NOW + minutes * MINUTE),
        IDS,
        SLOTS,
        st.integers(31, 60),
    ),
    st.builds(Confirm, IDS),
    st.builds(lambda id, slot: Reschedule(id, *slot), IDS, SLOTS),
    st.builds(Cancel, IDS),
)


class Model:
    """The rules written down the slow way, straight from what clients are told."""

    def __init__(self) -> None:
        self.slots: dict[str, tuple[datetime, datetime]] = {}
        self.expires: dict[str, datetime | None] = {}

    def over(self, id: str, now: datetime) -> bool:
        expires = self.expires[id]
        return expires is not None and expires <= now

    def in_the_way(self, start: datetime, end: datetime, id: str) -> set[str]:
        return {i for i, (s, e) in self.slots.items() if i != id and s < end and start < e}

    def answer(self, command: Commands, now: datetime) -> type[Rejection] | set[Events]:
        """The rejection, or what happens, in no order."""
        match command:
            case Reserve(id, guest, guests, start, end) | Hold(id, guest, guests, start, end):
                met = self.in_the_way(start, end, id) | ({id} & self.slots.keys())
                if not all(self.over(i, now) for i in met):
                    return Taken
                if isinstance(command, Hold):
                    return {*map(Expired, met), Held(id, guest, guests, start, end, command.expires)}
                return {*map(Expired, met), Reserved(id, guest, guests, start, end)}
            case Confirm(id) | Reschedule(id) if id in self.slots and self.over(id, now):
                return HoldExpired
            case Confirm(id) if id in self.slots:
                return {Confirmed(id)} if self.expires[id] else set()
            case Reschedule(id, start, end) if id in self.slots:
                if (start, end) == self.slots[id]:
                    return set()
                met = self.in_the_way(start, end, id)
                if not all(self.over(i, now) for i in met):
                    return Taken
                return {*map(Expired, met), Rescheduled(id, start, end)}
            case Cancel(id) if id in self.slots:
                return {Expired(id) if self.over(id, now) else Cancelled(id)}
        return NoSuchReservation

    def follow(self, event: Events) -> None:
        match event:
            case Reserved(id, _, _, start, end) | Held(id, _, _, start, end):
                self.slots[id] = start, end
                self.expires[id] = event.expires if isinstance(event, Held) else None
            case Rescheduled(id, start, end):
                self.slots[id] = start, end
            case Confirmed(id):
                self.expires[id] = None
            case Cancelled(id) | Expired(id):
                del self.slots[id], self.expires[id]


def check(space: Space, model: Model) -> None:
    standing = {id: (each.start, each.end, each.expires) for id, each in space.reservations.items()}
    assert standing == {id: (*slot, model.expires[id]) for id, slot in model.slots.items()}
    slots = [each.slot() for each in space.reservations.values()]
    assert not any(a.overlaps(b) for n, a in enumerate(slots) for b in slots[:n])
    again = stored(space)
    assert again == space
    assert msgspec.json.decode(msgspec.json.encode(space), type=Space) == space
    assert list(again.timeline) == list(space.timeline)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(COMMANDS, st.integers(0, 3)), max_size=40))
def test_whatever_is_asked_slots_never_overlap_and_the_rules_hold(story: list[tuple[Commands, int]]) -> None:
    space, model, now = evolve(Space(), Opened(4, "Asia/Tokyo", "00:00", "24:00")), Model(), NOW
    for command, minutes in story:
        now += minutes * 5 * MINUTE
        if isinstance(command, Hold) and command.expires <= now:
            continue
        expected = model.answer(command, now)
        decided = decide(space, command, Call(now))
        if isinstance(decided, Rejection):
            assert type(decided) is expected
        else:
            assert set(decided) == expected
            assert len(decided) == len(set(decided))
            for event in decided:
                space = evolve(space, event)
                model.follow(event)
        check(space, model)


def test_a_confirmed_hold_is_no_hold_any_more() -> None:
    hold = Reservation("ada", 1, NOW, NOW + MINUTE, NOW)
    space = evolve(Space(reservations={"a": hold}), Confirmed("a"))
    assert space.reservations["a"] == Reservation("ada", 1, NOW, NOW + MINUTE)


def test_a_state_that_is_read_from_a_snapshot_is_ready_to_decide() -> None:
    space = Space(reservations={"a": Reservation("ada", 1, NOW, NOW + MINUTE)})
    assert "timeline" in vars(stored(space))
    assert "timeline" not in msgspec.to_builtins(space)
