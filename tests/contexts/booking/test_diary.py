"""The diary has an entry for each reservation and hold that stands, and no other."""

from datetime import datetime, timedelta

from contexts.booking import diary, rooms
from contexts.booking.diary import Entry
from contexts.booking.events import (
    Cancelled,
    Confirmed,
    Events,
    Expired,
    Held,
    Opened,
    Rescheduled,
    Reserved,
)
from contexts.booking.rooms import Room
from contexts.booking.space import aggregate
from contexts.specification import NOW, Folded, folded, happened

TEN, NOON, TWO = (datetime.fromisoformat(f"2027-01-15T{hour}:00:00+09:00") for hour in (10, 12, 14))
ADAS = Reserved("r1", "ada", 4, TEN, NOON)
BOBS = Held("r2", "bob", 2, NOON, TWO, TEN)


def second(number: int) -> datetime:
    return NOW + timedelta(seconds=number)


def maple(*events: Events) -> Folded[Entry]:
    return folded(diary.view, *(happened(aggregate, "maple", event) for event in events))


def test_a_reservation_stands_in_the_diary() -> None:
    maple(ADAS).then({("maple", "r1"): Entry("maple", "r1", "ada", 4, TEN, NOON, NOW)})


def test_a_hold_tells_when_it_expires() -> None:
    maple(BOBS).then({("maple", "r2"): Entry("maple", "r2", "bob", 2, NOON, TWO, NOW, TEN)})


def test_a_confirmed_hold_does_not_expire() -> None:
    maple(BOBS, Confirmed("r2")).then({("maple", "r2"): Entry("maple", "r2", "bob", 2, NOON, TWO, second(1))})


def test_what_is_moved_stands_at_its_new_time() -> None:
    maple(BOBS, Rescheduled("r2", TEN, NOON)).then(
        {("maple", "r2"): Entry("maple", "r2", "bob", 2, TEN, NOON, second(1), TEN)}
    )


def test_what_is_cancelled_or_has_expired_is_gone() -> None:
    maple(ADAS, BOBS, Cancelled("r1"), Expired("r2")).then({})


def test_an_id_may_be_used_again() -> None:
    maple(ADAS, Cancelled("r1"), ADAS).then(
        {("maple", "r1"): Entry("maple", "r1", "ada", 4, TEN, NOON, second(2))}
    )


def test_reservations_of_two_spaces_may_have_one_id() -> None:
    folded(diary.view, happened(aggregate, "maple", ADAS), happened(aggregate, "oak", ADAS)).then(
        {
            ("maple", "r1"): Entry("maple", "r1", "ada", 4, TEN, NOON, NOW),
            ("oak", "r1"): Entry("oak", "r1", "ada", 4, TEN, NOON, second(1)),
        }
    )


def test_a_room_is_what_was_opened() -> None:
    folded(
        rooms.view,
        happened(aggregate, "maple", Opened(16, "Asia/Tokyo", "09:00", "22:00")),
        happened(aggregate, "maple", ADAS),
    ).then({"maple": Room("maple", 16, "Asia/Tokyo", "09:00", "22:00")})
