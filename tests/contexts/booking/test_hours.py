"""Opening hours keep to the wall clock of the space, also when the clocks change."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contexts.booking.hours import are_open
from contexts.booking.slot import slot

BERLIN = ZoneInfo("Europe/Berlin")
CALIFORNIA = timezone(timedelta(hours=-8))
KIRITIMATI = timezone(timedelta(hours=14))


def is_open(start: datetime, end: datetime, opens: str, closes: str, zone: str = "Europe/Berlin") -> bool:
    """As the space says, and as it says to clients far away."""
    answers = {
        are_open(slot(start.astimezone(place), end.astimezone(place)), zone, opens, closes)
        for place in (UTC, BERLIN, CALIFORNIA, KIRITIMATI)
    }
    assert len(answers) == 1
    return answers.pop()


def berlin(month: int, day: int, hour: int, minute: int = 0, fold: int = 0) -> datetime:
    return datetime(2027, month, day, hour, minute, tzinfo=BERLIN, fold=fold)


@pytest.mark.parametrize(
    ("start", "end", "answer"),
    [
        (berlin(1, 15, 9), berlin(1, 15, 22), True),
        (berlin(1, 15, 8, 59), berlin(1, 15, 10), False),
        (berlin(1, 15, 21), berlin(1, 15, 22, 1), False),
        (berlin(1, 15, 21), berlin(1, 16, 10), False),
        (berlin(1, 15, 23), berlin(1, 16, 0), False),
        (berlin(1, 15, 10), berlin(1, 16, 10), False),
    ],
)
def test_a_slot_lies_within_one_days_hours(start: datetime, end: datetime, answer: bool) -> None:
    assert is_open(start, end, "09:00", "22:00") is answer


@pytest.mark.parametrize(("opens", "closes"), [("00:00", "24:00"), ("00:00", "00:00"), ("06:00", "06:00")])
def test_a_space_open_round_the_clock_takes_nights_and_weeks(opens: str, closes: str) -> None:
    assert is_open(berlin(1, 15, 22), berlin(1, 16, 6), opens, closes)
    assert is_open(berlin(3, 1, 22), berlin(4, 16, 6), opens, closes)


def test_hours_until_midnight_end_there() -> None:
    assert is_open(berlin(1, 15, 20), berlin(1, 16, 0), "09:00", "24:00")
    assert is_open(berlin(1, 15, 20), berlin(1, 16, 0), "09:00", "00:00")
    assert not is_open(berlin(1, 15, 20), berlin(1, 16, 0, 1), "09:00", "24:00")


def test_hours_from_midnight_begin_there() -> None:
    assert is_open(berlin(1, 15, 0), berlin(1, 15, 6), "00:00", "22:00")
    assert not is_open(berlin(1, 14, 21), berlin(1, 15, 6), "00:00", "22:00")


@pytest.mark.parametrize(
    ("start", "end", "answer"),
    [
        (berlin(1, 15, 18), berlin(1, 16, 2), True),
        (berlin(1, 15, 23), berlin(1, 16, 1), True),
        (berlin(1, 16, 0), berlin(1, 16, 2), True),
        (berlin(1, 16, 0), berlin(1, 16, 2, 1), False),
        (berlin(1, 15, 17), berlin(1, 15, 19), False),
        (berlin(1, 15, 3), berlin(1, 15, 4), False),
        (berlin(1, 15, 23), berlin(1, 16, 19), False),
    ],
)
def test_hours_that_close_after_midnight_belong_to_the_evening(
    start: datetime, end: datetime, answer: bool
) -> None:
    assert is_open(start, end, "18:00", "02:00") is answer


@pytest.mark.parametrize(("month", "day", "length"), [(3, 28, 7), (10, 31, 9), (6, 15, 8)])
def test_wall_hours_are_kept_through_the_night_of_a_clock_change(month: int, day: int, length: int) -> None:
    evening = berlin(month, day, 22) - timedelta(days=1)
    morning = berlin(month, day, 6)
    assert morning.astimezone(UTC) - evening.astimezone(UTC) == timedelta(hours=length)
    assert is_open(evening, morning, "22:00", "06:00")
    assert not is_open(evening, morning + timedelta(minutes=1), "22:00", "06:00")
    assert not is_open(evening - timedelta(minutes=1), morning, "22:00", "06:00")


def test_a_time_that_is_left_out_falls_on_the_change() -> None:
    change = datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert is_open(change, change + timedelta(hours=1), "02:30", "12:00")
    assert not is_open(change - timedelta(minutes=1), change + timedelta(hours=1), "02:30", "12:00")
    assert is_open(change - timedelta(hours=1), change, "00:00", "02:30")
    assert not is_open(change - timedelta(hours=1), change + timedelta(minutes=1), "00:00", "02:30")


def test_a_time_that_happens_twice_opens_at_the_first_and_closes_at_the_second() -> None:
    first, second = berlin(10, 31, 2, 30), berlin(10, 31, 2, 30, fold=1)
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)
    assert is_open(first, berlin(10, 31, 12), "02:30", "12:00")
    assert not is_open(first.astimezone(UTC) - timedelta(minutes=1), berlin(10, 31, 12), "02:30", "12:00")
    assert is_open(berlin(10, 31, 0), second, "00:00", "02:30")
    assert not is_open(berlin(10, 31, 0), second.astimezone(UTC) + timedelta(minutes=1), "00:00", "02:30")


def test_a_midnight_that_is_left_out_opens_at_one() -> None:
    place = ZoneInfo("America/Sao_Paulo")
    first = datetime(2018, 11, 4, 1, tzinfo=place)
    assert is_open(first, first + timedelta(hours=4), "00:00", "05:00", "America/Sao_Paulo")
    assert not is_open(first - timedelta(hours=2), first, "00:00", "22:00", "America/Sao_Paulo")


def test_on_a_day_that_a_country_skipped_nothing_is_open() -> None:
    # Samoa went from Thursday 29 to Saturday 31 December 2011.
    apia = ZoneInfo("Pacific/Apia")
    saturday = datetime(2011, 12, 31, 9, tzinfo=apia)
    assert is_open(saturday, saturday + timedelta(hours=2), "09:00", "17:00", "Pacific/Apia")
    thursday = datetime(2011, 12, 29, 16, tzinfo=apia)
    assert not is_open(thursday, saturday, "09:00", "17:00", "Pacific/Apia")


@given(
    st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 20), timezones=st.just(UTC)),
    st.timedeltas(timedelta(minutes=1), timedelta(hours=30)),
    st.integers(0, 23),
    st.integers(1, 24),
    st.sampled_from(["UTC", "Asia/Tokyo", "Asia/Kathmandu", "Etc/GMT+12", "Pacific/Kiritimati"]),
)
def test_a_slot_is_open_if_each_of_its_minutes_is(
    start: datetime, length: timedelta, opens: int, closes: int, zone: str
) -> None:
    start = max(start, datetime(1996, 1, 1, tzinfo=UTC)).replace(second=0, microsecond=0)
    length -= length % timedelta(minutes=1)

    def is_open_at(minute: datetime) -> bool:
        now = minute.astimezone(ZoneInfo(zone))
        time = now.hour * 60 + now.minute
        if closes > opens:
            return opens * 60 <= time < closes * 60
        return time >= opens * 60 or time < closes * 60

    minutes = [start + timedelta(minutes=n) for n in range(length // timedelta(minutes=1))]
    answer = are_open(slot(start, start + length), zone, f"{opens:02}:00", f"{closes:02}:00")
    assert answer == all(is_open_at(minute) for minute in minutes)
