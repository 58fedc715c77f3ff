"""How far a space is taken in a month, on its own calendar."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from contexts.booking import calendar, diary, occupancy, rooms
from contexts.booking.calendar import CalendarOf
from contexts.booking.events import Events, Held, Opened, Reserved
from contexts.booking.occupancy import MonthOf, Occupancy
from contexts.booking.rejections import NotOpen
from contexts.booking.space import aggregate
from contexts.specification import NOW, Asked, asked, folded, happened
from contexts.vocabulary import Calendar, CalendarEntry, Inquiry, Query

BERLIN = ZoneInfo("Europe/Berlin")
OPEN = Opened(16, "Europe/Berlin", "09:00", "19:00")
ALWAYS = Opened(16, "Europe/Berlin", "00:00", "24:00")
HOUR = 3600


def berlin(month: int, day: int, hour: int) -> datetime:
    return datetime(2027, month, day, hour, tzinfo=BERLIN)


def ask(inquiry: Inquiry, query: Query, *events: Events) -> Asked:
    past = [happened(aggregate, "oak", event) for event in events]
    return asked(inquiry, query, folded(diary.view, *past), folded(rooms.view, *past))


def occupied(month: str, *events: Events) -> Occupancy:
    outcome = ask(occupancy.inquiry, MonthOf("oak", month), *events).outcome
    assert isinstance(outcome, Occupancy)
    return outcome


@pytest.mark.parametrize(
    ("month", "hours"),
    [("2027-01", 744), ("2027-02", 672), ("2027-03", 743), ("2027-10", 745), ("2027-12", 744)],
)
def test_a_month_is_as_long_as_the_clocks_make_it(month: str, hours: int) -> None:
    assert occupied(month, ALWAYS).open_seconds == hours * HOUR


def test_taken_time_is_reckoned_against_opening_hours() -> None:
    found = occupied("2027-01", OPEN, Reserved("r1", "ada", 1, berlin(1, 15, 9), berlin(1, 15, 19)))
    assert (found.open_seconds, found.taken_seconds) == (310 * HOUR, 10 * HOUR)
    assert found.share == round(1 / 31, 4)
    assert (found.reservations, found.days) == (1, 1)


def test_only_what_lies_in_the_month_counts() -> None:
    over_new_year = Reserved("r1", "ada", 1, berlin(1, 31, 20), berlin(2, 1, 6))
    assert occupied("2027-01", ALWAYS, over_new_year).taken_seconds == 4 * HOUR
    assert occupied("2027-02", ALWAYS, over_new_year).taken_seconds == 6 * HOUR
    assert occupied("2027-03", ALWAYS, over_new_year).reservations == 0


def test_days_are_counted_by_date_there() -> None:
    until_midnight = Reserved("r1", "ada", 1, berlin(1, 14, 22), berlin(1, 15, 0))
    assert occupied("2027-01", ALWAYS, until_midnight).days == 1
    a_night = Reserved("r1", "ada", 1, berlin(1, 14, 22), berlin(1, 15, 1))
    assert occupied("2027-01", ALWAYS, a_night).days == 2


def test_holds_count_as_long_as_they_stand() -> None:
    held = Held("r1", "ada", 1, berlin(1, 15, 9), berlin(1, 15, 10), NOW)
    assert occupied("2027-01", OPEN, held).taken_seconds == HOUR


@pytest.mark.parametrize(
    "inquiry_and_query",
    [(occupancy.inquiry, MonthOf("oak", "2027-01")), (calendar.inquiry, CalendarOf("oak"))],
)
def test_an_unknown_space_is_not_open(inquiry_and_query: tuple[Inquiry, Query]) -> None:
    ask(*inquiry_and_query).then(NotOpen())


def test_a_calendar_tells_when_a_space_is_taken_and_not_by_whom() -> None:
    held = Held("r2", "bob", 1, berlin(1, 16, 9), berlin(1, 16, 10), NOW)
    reserved = Reserved("r1", "ada", 1, berlin(1, 15, 9), berlin(1, 15, 10))
    answer = ask(calendar.inquiry, CalendarOf("oak"), OPEN, held, reserved)
    second, third = (NOW.replace(second=n) for n in (1, 2))
    answer.then(
        Calendar(
            "oak",
            "Europe/Berlin",
            [
                CalendarEntry("r1@oak.booking.butai", reserved.start, reserved.end, "Reserved", third),
                CalendarEntry("r2@oak.booking.butai", held.start, held.end, "Held", second, tentative=True),
            ],
        )
    )
    assert b"ada" not in repr(answer.outcome).encode()


def test_a_calendar_may_be_asked_for_a_span() -> None:
    days = [Reserved(f"r{d}", "ada", 1, berlin(1, d, 9), berlin(1, d, 10)) for d in (14, 15, 16)]
    query = CalendarOf("oak", berlin(1, 15, 0), berlin(1, 16, 0))
    outcome = ask(calendar.inquiry, query, OPEN, *days).outcome
    assert isinstance(outcome, Calendar)
    assert [entry.uid for entry in outcome.entries] == ["r15@oak.booking.butai"]
