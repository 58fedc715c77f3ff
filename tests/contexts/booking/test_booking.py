"""What booking does, told as given, when, then."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from contexts.booking import context
from contexts.booking.commands import Cancel, Commands, Confirm, Hold, Open, Reschedule, Reserve
from contexts.booking.events import Cancelled, Confirmed, Expired, Held, Opened, Rescheduled, Reserved
from contexts.booking.rejections import (
    AlreadyOpen,
    AlreadyPast,
    HoldExpired,
    ImpossibleSlot,
    NoSuchReservation,
    NotOpen,
    OutsideOpeningHours,
    Taken,
    TooManyGuests,
    UnknownTimeZone,
)
from contexts.booking.space import aggregate, reservation
from contexts.specification import NOW, given

TOKYO = timezone(timedelta(hours=9))
OPENED = Opened(16, "Asia/Tokyo", "00:00", "24:00")
SOON = NOW + timedelta(minutes=15)


def at(hour: int, day: int = 15) -> datetime:
    return datetime(2027, 1, day, hour, tzinfo=TOKYO)


def reserve(id: str = "r1", start: int = 10, end: int = 12, guests: int = 4) -> Reserve:
    return Reserve(id, "ada", guests, at(start), at(end))


def reserved(id: str = "r1", start: int = 10, end: int = 12) -> Reserved:
    return Reserved(id, "ada", 4, at(start), at(end))


def hold(id: str = "h1", start: int = 10, end: int = 12, expires: datetime = SOON) -> Hold:
    return Hold(id, "bob", 2, at(start), at(end), expires)


def held(id: str = "h1", start: int = 10, end: int = 12) -> Held:
    return Held(id, "bob", 2, at(start), at(end), SOON)


def test_a_space_is_opened_once() -> None:
    command = Open(16, "Asia/Tokyo", "00:00", "24:00")
    given(aggregate).when(command).then(OPENED).when(command).then(AlreadyOpen())


def test_a_space_is_opened_in_a_time_zone_that_exists() -> None:
    given(aggregate).when(Open(16, "Asia/Edo", "00:00", "24:00")).then(UnknownTimeZone())


@pytest.mark.parametrize(
    "command", [reserve(), hold(), Confirm("r1"), Reschedule("r1", at(1), at(2)), Cancel("r1")]
)
def test_a_space_that_was_never_opened_is_not_found(command: Commands) -> None:
    given(aggregate).when(command).then(NotOpen())


def test_a_slot_is_taken_once() -> None:
    given(aggregate, OPENED).when(reserve()).then(reserved()).when(reserve("r2", 11, 13)).then(Taken())


def test_back_to_back_is_fine() -> None:
    story = given(aggregate, OPENED, reserved())
    story = story.when(reserve("r2", 12, 14)).then(reserved("r2", 12, 14))
    story.when(reserve("r3", 8, 10)).then(reserved("r3", 8, 10))


def test_slots_are_compared_as_instants_whatever_their_offsets() -> None:
    there = Reserve("r2", "bob", 2, at(11).astimezone(UTC), at(13).astimezone(timezone(timedelta(hours=-8))))
    given(aggregate, OPENED, reserved()).when(there).then(Taken())


def test_moments_keep_the_offset_they_came_with() -> None:
    state = given(aggregate, OPENED, reserved()).state
    assert msgspec.json.decode(msgspec.json.encode(state)) == {
        "capacity": 16,
        "time_zone": "Asia/Tokyo",
        "opens": "00:00",
        "closes": "24:00",
        "reservations": {
            "r1": {
                "guest": "ada",
                "guests": 4,
                "start": "2027-01-15T10:00:00+09:00",
                "end": "2027-01-15T12:00:00+09:00",
            }
        },
    }


def test_a_reservations_id_is_taken_while_it_stands() -> None:
    story = given(aggregate, OPENED, reserved())
    story.when(reserve(start=14, end=15)).then(Taken())
    story = story.when(Cancel("r1")).then(Cancelled("r1"))
    story.when(reserve(start=14, end=15)).then(reserved(start=14, end=15))


def test_guests_must_fit_in() -> None:
    given(aggregate, OPENED).when(reserve(guests=16)).then(Reserved("r1", "ada", 16, at(10), at(12)))
    given(aggregate, OPENED).when(reserve(guests=17)).then(TooManyGuests(16))


def test_a_space_is_closed_outside_its_hours() -> None:
    hours = Opened(16, "Asia/Tokyo", "09:00", "22:00")
    given(aggregate, hours).when(reserve(start=9, end=22)).then(reserved(start=9, end=22))
    given(aggregate, hours).when(reserve(start=8)).then(OutsideOpeningHours("09:00", "22:00", "Asia/Tokyo"))


def test_a_space_open_round_the_clock_takes_nights() -> None:
    night = Reserve("n", "ada", 4, at(22, 15), at(6, 16))
    given(aggregate, OPENED).when(night).then(Reserved("n", "ada", 4, at(22, 15), at(6, 16)))


@pytest.mark.parametrize(("start", "end"), [(at(10), at(10)), (at(12), at(10))])
def test_a_slot_ends_after_it_starts(start: datetime, end: datetime) -> None:
    given(aggregate, OPENED).when(Reserve("r1", "ada", 4, start, end)).then(ImpossibleSlot())
    given(aggregate, OPENED, reserved()).when(Reschedule("r1", start, end)).then(ImpossibleSlot())


def test_history_may_be_brought_along() -> None:
    past = at(10) - timedelta(days=3650), at(12) - timedelta(days=3650)
    given(aggregate, OPENED).when(Reserve("r1", "ada", 4, *past)).then(Reserved("r1", "ada", 4, *past))


def test_a_hold_takes_its_slot_until_it_expires() -> None:
    story = given(aggregate, OPENED).when(hold()).then(held())
    story.when(reserve(), now=SOON - timedelta(microseconds=1)).then(Taken())
    story.when(reserve(), now=SOON).then(Expired("h1"), reserved())


def test_a_hold_must_expire_in_the_future() -> None:
    given(aggregate, OPENED).when(hold(expires=NOW)).then(AlreadyPast())


def test_a_hold_that_is_confirmed_stands() -> None:
    story = given(aggregate, OPENED, held()).when(Confirm("h1")).then(Confirmed("h1"))
    story.when(reserve(), now=SOON).then(Taken())
    story.when(Confirm("h1"), now=SOON).then_nothing()
    assert "expires" not in msgspec.to_builtins(story.state.reservations["h1"])


def test_a_hold_that_has_expired_cannot_be_confirmed_or_moved() -> None:
    story = given(aggregate, OPENED, held())
    story.when(Confirm("h1"), now=SOON).then(HoldExpired())
    story.when(Reschedule("h1", at(14), at(15)), now=SOON).then(HoldExpired())


def test_cancelling_an_expired_hold_states_that_it_expired() -> None:
    given(aggregate, OPENED, held()).when(Cancel("h1"), now=SOON).then(Expired("h1"))


def test_an_expired_holds_id_may_be_used_again() -> None:
    given(aggregate, OPENED, held()).when(reserve("h1"), now=SOON).then(Expired("h1"), reserved("h1"))
    story = given(aggregate, OPENED, held())
    story.when(reserve("h1", 20, 21), now=SOON).then(Expired("h1"), reserved("h1", 20, 21))


def test_every_expired_hold_in_the_way_ends_and_none_when_the_slot_is_taken() -> None:
    story = given(aggregate, OPENED, held("a", 9, 11), held("b", 11, 12))
    story.when(reserve(start=10, end=13), now=SOON).then(
        Expired("b"), Expired("a"), reserved(start=10, end=13)
    )
    story = given(aggregate, OPENED, reserved("r0", 9, 11), held("b", 11, 12))
    story.when(reserve(start=10, end=13), now=SOON).then(Taken())


def test_a_reservation_moves_also_onto_its_own_slot() -> None:
    story = given(aggregate, OPENED, reserved(), reserved("r2", 14, 16))
    story.when(Reschedule("r1", at(11), at(13))).then(Rescheduled("r1", at(11), at(13)))
    story.when(Reschedule("r1", at(13), at(15))).then(Taken())
    story.when(Reschedule("r1", at(10).astimezone(UTC), at(12))).then_nothing()


def test_a_move_ends_the_expired_holds_in_its_way() -> None:
    story = given(aggregate, OPENED, reserved(), held("h1", 14, 16))
    moved = Rescheduled("r1", at(15), at(17))
    story.when(Reschedule("r1", at(15), at(17)), now=SOON).then(Expired("h1"), moved)


def test_a_hold_that_moves_still_expires() -> None:
    story = given(aggregate, OPENED, held())
    story = story.when(Reschedule("h1", at(14), at(15))).then(Rescheduled("h1", at(14), at(15)))
    assert story.state.reservations["h1"].expires == SOON
    story.when(reserve()).then(reserved())


@pytest.mark.parametrize("command", [Confirm("r9"), Reschedule("r9", at(1), at(2)), Cancel("r9")])
def test_an_unknown_reservation_is_not_found(command: Commands) -> None:
    given(aggregate, OPENED, reserved()).when(command).then(NoSuchReservation())


def test_cancelled_reservations_are_forgotten() -> None:
    story = given(aggregate, OPENED, reserved(), Cancelled("r1"))
    assert story.state.reservations == {}
    story.when(Cancel("r1")).then(NoSuchReservation())


def test_a_part_of_the_state_is_one_reservation() -> None:
    state = given(aggregate, OPENED, reserved()).state
    assert reservation(state, "r1") is state.reservations["r1"]
    assert reservation(state, "r2") is None


RESERVATION = {
    "reservation": "r1",
    "guest": "ada",
    "guests": 4,
    "start": "2027-01-15T10:00:00+09:00",
    "end": "2027-01-15T12:00:00+09:00",
}


def test_a_reservation_is_read_as_published() -> None:
    assert msgspec.convert(RESERVATION, Reserve) == reserve()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reservation", ""),
        ("reservation", "r/1"),
        ("reservation", ".."),
        ("reservation", "r1\n"),
        ("reservation", "r" * 65),
        ("guest", "a\0da"),
        ("guest", "ada\n"),
        ("guest", "\u0085"),
        ("guest", "a" * 201),
        ("guests", 0),
        ("guests", 2**63),
        ("guests", 1.5),
        ("start", "2027-01-15T10:00:00"),
        ("start", "2027-02-30T10:00:00Z"),
        ("end", 1_800_000_000),
        ("note", "window seat"),
    ],
)
def test_a_field_outside_its_limits_is_refused(field: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.json.decode(msgspec.json.encode(RESERVATION | {field: value}), type=Reserve)


def test_the_routes_are_the_published_ones() -> None:
    reservation = "/spaces/{space}/reservations/{reservation}"
    assert [(getattr(route, "method", "GET"), route.path) for route in context.routes] == [
        ("POST", "/spaces/{space}"),
        ("POST", "/spaces/{space}/reservations"),
        ("POST", "/spaces/{space}/holds"),
        ("POST", reservation + "/confirm"),
        ("POST", reservation + "/reschedule"),
        ("DELETE", reservation),
        ("GET", "/spaces/{space}"),
        ("GET", reservation),
        ("GET", "/rooms/{space}"),
        ("GET", "/rooms"),
        ("GET", "/guests/{guest}/diary"),
        ("GET", "/spaces/{space}/reservations"),
        ("GET", "/spaces/{space}/availability"),
        ("GET", "/spaces/{space}/occupancy/{month}"),
        ("GET", "/spaces/{space}/calendar.ics"),
    ]
