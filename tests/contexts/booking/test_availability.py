"""When a space is free: within its opening hours on its own wall clock, also when the clocks change."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contexts.booking import availability, diary, rooms
from contexts.booking.availability import Availability, FreeSlot, FreeSlots, free_of
from contexts.booking.events import Events, Held, Opened, Reserved
from contexts.booking.hours import are_open, opening_slots
from contexts.booking.rejections import NotOpen, UnreasonableSpan
from contexts.booking.slot import EPOCH, Slot, slot
from contexts.booking.space import aggregate
from contexts.specification import Asked, asked, folded, happened

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def berlin(month: int, day: int, hour: int, minute: int = 0, fold: int = 0) -> datetime:
    return datetime(2027, month, day, hour, minute, tzinfo=BERLIN, fold=fold)


def ask(query: Availability, *events: Events) -> Asked:
    past = [happened(aggregate, "oak", event) for event in events]
    return asked(availability.inquiry, query, folded(diary.view, *past), folded(rooms.view, *past))


def free(
    opens: str, closes: str, start: datetime, end: datetime, *events: Events, minutes: int = 1
) -> list[FreeSlot]:
    query = Availability("oak", start, end, minutes)
    outcome = ask(query, Opened(16, "Europe/Berlin", opens, closes), *events).outcome
    assert isinstance(outcome, FreeSlots)
    assert outcome.time_zone == "Europe/Berlin"
    return outcome.free


def reserved(start: datetime, end: datetime, id: str = "r1") -> Reserved:
    return Reserved(id, "ada", 1, start, end)


def times(slots: list[FreeSlot]) -> list[tuple[str, str]]:
    return [(one.start.isoformat(), one.end.isoformat()) for one in slots]


def test_a_space_without_reservations_is_free_in_its_hours() -> None:
    assert times(free("09:00", "18:00", berlin(1, 15, 0), berlin(1, 17, 0))) == [
        ("2027-01-15T09:00:00+01:00", "2027-01-15T18:00:00+01:00"),
        ("2027-01-16T09:00:00+01:00", "2027-01-16T18:00:00+01:00"),
    ]


def test_what_is_taken_or_held_is_not_free() -> None:
    held = Held("r2", "bob", 1, berlin(1, 15, 16), berlin(1, 15, 20), berlin(1, 14, 0))
    noon = reserved(berlin(1, 15, 11), berlin(1, 15, 12))
    assert times(free("09:00", "18:00", berlin(1, 15, 10), berlin(1, 16, 0), noon, held)) == [
        ("2027-01-15T10:00:00+01:00", "2027-01-15T11:00:00+01:00"),
        ("2027-01-15T12:00:00+01:00", "2027-01-15T16:00:00+01:00"),
    ]


def test_back_to_back_reservations_leave_nothing_between() -> None:
    events = [reserved(berlin(1, 15, h), berlin(1, 15, h + 1), f"r{h}") for h in range(9, 18)]
    assert free("09:00", "18:00", berlin(1, 15, 0), berlin(1, 16, 0), *events) == []


def test_what_is_too_short_is_left_out() -> None:
    events = [reserved(berlin(1, 15, 10), berlin(1, 15, 17))]
    found = free("09:00", "19:00", berlin(1, 15, 0), berlin(1, 16, 0), *events, minutes=90)
    assert times(found) == [("2027-01-15T17:00:00+01:00", "2027-01-15T19:00:00+01:00")]


def test_hours_keep_to_the_wall_clock_over_both_changes() -> None:
    spring = free("09:00", "18:00", berlin(3, 27, 0), berlin(3, 29, 0))
    assert [one.start.isoformat()[11:] for one in spring] == ["09:00:00+01:00", "09:00:00+02:00"]
    autumn = free("09:00", "18:00", berlin(10, 30, 0), berlin(11, 1, 0))
    assert [one.start.isoformat()[11:] for one in autumn] == ["09:00:00+02:00", "09:00:00+01:00"]


def test_a_night_has_an_hour_less_in_spring_and_one_more_in_autumn() -> None:
    [spring] = free("22:00", "04:00", berlin(3, 27, 12), berlin(3, 28, 12))
    assert spring.end - spring.start == 5 * HOUR
    [autumn] = free("22:00", "04:00", berlin(10, 30, 12), berlin(10, 31, 12))
    assert autumn.end - autumn.start == 7 * HOUR


def test_a_missing_opening_time_opens_with_the_change() -> None:
    [found] = free("02:30", "06:00", berlin(3, 28, 0), berlin(3, 28, 12))
    assert times([found]) == [("2027-03-28T03:00:00+02:00", "2027-03-28T06:00:00+02:00")]


def test_a_doubled_time_opens_at_its_first_and_closes_at_its_second_instant() -> None:
    [opening] = free("02:30", "06:00", berlin(10, 31, 0), berlin(10, 31, 12))
    assert times([opening])[0][0] == "2027-10-31T02:30:00+02:00"
    closing = free("00:00", "02:30", berlin(10, 31, 0), berlin(10, 31, 12))
    assert times(closing)[0][1] == "2027-10-31T02:30:00+01:00"


def test_a_space_that_never_closes_is_free_in_one_piece() -> None:
    assert times(free("00:00", "24:00", berlin(3, 27, 0), berlin(3, 29, 0))) == [
        ("2027-03-27T00:00:00+01:00", "2027-03-29T00:00:00+02:00")
    ]


@pytest.mark.parametrize("offset", [-8, 14])
def test_who_asks_from_far_away_is_told_the_same(offset: int) -> None:
    place = timezone(timedelta(hours=offset))
    start, end = berlin(3, 27, 0), berlin(3, 29, 0)
    here = free("09:00", "18:00", start, end)
    assert times(free("09:00", "18:00", start.astimezone(place), end.astimezone(place))) == times(here)


def test_an_unknown_space_is_not_open() -> None:
    ask(Availability("oak", berlin(1, 1, 0), berlin(1, 2, 0))).then(NotOpen())


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (berlin(1, 2, 0), berlin(1, 1, 0)),
        (berlin(1, 2, 0), berlin(1, 2, 0)),
        (berlin(1, 1, 0), berlin(1, 1, 0) + timedelta(days=62, seconds=1)),
        (datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC) + HOUR),
        (datetime.max.replace(tzinfo=UTC) - HOUR, datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_an_unreasonable_span_is_refused(start: datetime, end: datetime) -> None:
    ask(Availability("oak", start, end), Opened(1, "Europe/Berlin", "09:00", "18:00")).then(
        UnreasonableSpan()
    )


TIMES = st.sampled_from(["00:00", "01:30", "02:30", "03:00", "09:00", "18:00", "22:15"])
CLOSING = st.one_of(TIMES, st.just("24:00"))
ZONES = st.sampled_from(["Europe/Berlin", "Asia/Tokyo", "Australia/Lord_Howe", "America/New_York", "UTC"])
DAYS = st.integers(0, 364)


@given(zone=ZONES, opens=TIMES, closes=CLOSING, day=DAYS, minutes=st.integers(1, 20_000))
def test_opening_slots_are_just_when_the_space_is_open(
    zone: str, opens: str, closes: str, day: int, minutes: int
) -> None:
    start = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=day) - EPOCH
    between = Slot(start, start + timedelta(minutes=minutes))
    found = list(opening_slots(between, zone, opens, closes))
    assert all(are_open(one, zone, opens, closes) for one in found)
    edges = [between.start, *(edge for one in found for edge in (one.start, one.end)), between.end]
    assert edges == sorted(edges)
    assert all(one.end < other.start for one, other in pairwise(found))
    for gap_start, gap_end in zip(edges[::2], edges[1::2], strict=True):
        if gap_start < gap_end:
            instant = gap_start + (gap_end - gap_start) / 2
            moment = Slot(instant, instant + timedelta.resolution)
            assert not are_open(moment, zone, opens, closes)


HOURS = st.lists(st.integers(0, 200), min_size=2, max_size=20, unique=True).map(sorted)


def pairs(edges: list[int]) -> list[Slot]:
    return [Slot(a * HOUR, b * HOUR) for a, b in zip(edges[::2], edges[1::2], strict=False)]


@given(HOURS, HOURS)
def test_free_and_taken_time_are_all_of_the_open_time_and_disjoint(
    taken: list[int], hours: list[int]
) -> None:
    def in_hours(slots: list[Slot]) -> set[int]:
        return {hour for one in slots for hour in range(one.start // HOUR, one.end // HOUR)}

    found = list(free_of(pairs(taken), pairs(hours)))
    assert in_hours(found) == in_hours(pairs(hours)) - in_hours(pairs(taken))
    assert sum(((one.end - one.start) for one in found), timedelta(0)) == len(in_hours(found)) * HOUR


def test_slots_are_between_moments() -> None:
    assert slot(berlin(1, 1, 0), berlin(1, 1, 1)).end - slot(berlin(1, 1, 0), berlin(1, 1, 1)).start == HOUR
