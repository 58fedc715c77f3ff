"""What a calendar file takes up, and what is said of the rest."""

import re
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import calendar_file, calendar_series
from gateway.calendar_file import CalendarError, load, read
from gateway.calendar_items import Item, Occurrence, Reading, Skipped

BERLIN = ZoneInfo("Europe/Berlin")
BRISBANE = ZoneInfo("Australia/Brisbane")
SHIPPED = sorted(
    path
    for package in ("icalendar", "recurring_ical_events")
    for path in Path(str(files(package))).rglob("*.ics")
)


def calendar(*events: str, extra: str = "") -> bytes:
    """A calendar of events given as lines without BEGIN and END."""
    parts = [f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events]
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\n{extra}{''.join(parts)}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def occurrences(items: list[Item]) -> list[Occurrence]:
    return [item for item in items if isinstance(item, Occurrence)]


def skipped(items: list[Item]) -> list[tuple[str, bool]]:
    return [(item.why, item.failed) for item in items if isinstance(item, Skipped)]


def starts(items: list[Item]) -> list[str]:
    return [item.start.isoformat() for item in occurrences(items)]


def test_the_libraries_ship_calendars_to_try() -> None:
    assert len(SHIPPED) > 150


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_calendar_that_the_libraries_ship_is_read(path: Path) -> None:
    try:
        items = read(load(path), BERLIN)
    except CalendarError as error:
        fault = str(error)
        assert fault.startswith("not an iCalendar file")
        return
    taken = occurrences(items)
    assert len(taken) > 200 or items == read(load(path), BERLIN)
    assert len({item.reservation for item in taken}) == len(taken)
    for item in taken:
        assert item.start < item.end
        assert re.fullmatch(r"ical-[0-9a-f]{40}", item.reservation)
        assert 1 <= len(item.guest) <= 200
        assert item.guest.isprintable()
    assert all(item.why and "\n" not in item.what + item.why for item in items if isinstance(item, Skipped))


WEEKLY = """
UID:weekly
SUMMARY:Choir
DTSTART;TZID=America/Santiago:20270503T190000
DTEND;TZID=America/Santiago:20270503T203000
RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=13
"""


def test_an_evening_far_west_stays_on_its_own_weekday() -> None:
    taken = occurrences(read(calendar(WEEKLY), BRISBANE))
    assert len(taken) == 13
    assert {item.start.utcoffset() for item in taken} == {timedelta(hours=-4)}
    assert {item.start.strftime("%A %H:%M") for item in taken} == {"Monday 19:00"}
    assert {item.start.astimezone(BRISBANE).strftime("%A %H:%M") for item in taken} == {"Tuesday 09:00"}
    assert {item.end - item.start for item in taken} == {timedelta(minutes=90)}


def test_five_excluded_dates_are_left_out() -> None:
    excluded = [f"EXDATE;TZID=America/Santiago:202705{day:02}T190000" for day in (10, 17)]
    excluded.append("EXDATE;TZID=America/Santiago:20270524T190000,20270531T190000")
    excluded.append("EXDATE:20270607T230000Z")
    items = read(calendar(WEEKLY + "\n".join(excluded)), BRISBANE)
    assert [item.start.strftime("%m-%d") for item in occurrences(items)] == [
        "05-03", "06-14", "06-21", "06-28", "07-05", "07-12", "07-19", "07-26",
    ]  # fmt: skip


OVERRIDE = """
UID:weekly
SUMMARY:Choir, later
RECURRENCE-ID;TZID=America/Santiago:20270510T190000
DTSTART;TZID=America/Santiago:20270511T200000
DTEND;TZID=America/Santiago:20270511T213000
"""


def test_a_change_of_one_occurrence_keeps_its_id() -> None:
    plain = occurrences(read(calendar(WEEKLY), BRISBANE))
    changed = occurrences(read(calendar(WEEKLY, OVERRIDE), BRISBANE))
    assert [item.reservation for item in changed] == [item.reservation for item in plain]
    assert changed[1].start.isoformat() == "2027-05-11T20:00:00-04:00"
    assert changed[1].summary == "Choir, later"


def test_a_change_that_lacks_its_master_is_an_occurrence() -> None:
    (alone,) = occurrences(read(calendar(OVERRIDE), BRISBANE))
    assert alone.start.isoformat() == "2027-05-11T20:00:00-04:00"
    assert alone.reservation == occurrences(read(calendar(WEEKLY), BRISBANE))[1].reservation


def test_a_change_of_all_later_occurrences_gives_each_an_id() -> None:
    later = OVERRIDE.replace("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;")
    taken = occurrences(read(calendar(WEEKLY, later), BRISBANE))
    assert len({item.reservation for item in taken}) == len(taken) == 13
    assert taken[-1].start.strftime("%A %H:%M") == "Tuesday 20:00"


def test_a_rule_that_ends_before_it_starts_is_reported() -> None:
    rule = WEEKLY.replace("COUNT=13", "UNTIL=20260101T000000Z")
    assert skipped(read(calendar(rule), BRISBANE)) == [("its rule ends before it starts", False)]


def test_an_event_whose_every_occurrence_is_excluded_is_reported() -> None:
    event = WEEKLY.replace("COUNT=13", "COUNT=1") + "EXDATE;TZID=America/Santiago:20270503T190000"
    assert skipped(read(calendar(event), BRISBANE)) == [
        ("it never happens: every occurrence is excluded", False)
    ]


def test_wall_hours_are_kept_through_a_clock_change() -> None:
    event = """
UID:night
DTSTART;TZID=Europe/Berlin:20270327T220000
DTEND;TZID=Europe/Berlin:20270328T060000
RRULE:FREQ=DAILY;COUNT=2
"""
    first, second = occurrences(read(calendar(event), BRISBANE))
    assert (first.start.isoformat(), first.end.isoformat()) == (
        "2027-03-27T22:00:00+01:00",
        "2027-03-28T06:00:00+02:00",
    )
    assert second.start.isoformat() == "2027-03-28T22:00:00+02:00"


def test_a_time_that_the_clocks_leave_out_is_left_out_of_a_rule() -> None:
    once = "UID:n\nDTSTART;TZID=Europe/Berlin:20270328T023000\nDURATION:PT1H"
    (alone,) = occurrences(read(calendar(once), BERLIN))
    assert alone.start.astimezone(UTC).isoformat() == "2027-03-28T01:30:00+00:00"
    daily = once.replace("20270328", "20270327") + "\nRRULE:FREQ=DAILY;COUNT=3"
    items = read(calendar(daily), BERLIN)
    assert [item.start.day for item in occurrences(items)] == [27, 29]
    assert skipped(items) == [("the clocks leave this time out on that day", False)]


@pytest.mark.parametrize(
    ("length", "end"),
    [
        ("DURATION:PT1H", "2027-10-31T01:30:00+00:00"),
        ("DURATION:P1D", "2027-11-01T01:30:00+00:00"),
        ("DTEND;TZID=Europe/Berlin:20271031T033000", "2027-10-31T02:30:00+00:00"),
    ],
)
def test_an_hour_is_an_hour_in_the_night_of_a_clock_change(length: str, end: str) -> None:
    event = f"UID:n\nDTSTART;TZID=Europe/Berlin:20271031T023000\n{length}"
    (item,) = occurrences(read(calendar(event), BRISBANE))
    assert item.end.astimezone(UTC).isoformat() == end


def test_a_time_that_happens_twice_is_the_first() -> None:
    event = "UID:n\nDTSTART;TZID=Europe/Berlin:20271031T023000\nDURATION:PT1H"
    assert starts(read(calendar(event), BRISBANE)) == ["2027-10-31T02:30:00+02:00"]


def test_floating_times_and_whole_days_are_the_spaces_own() -> None:
    items = read(
        calendar(
            "UID:1\nDTSTART:20270701T100000\nDTEND:20270701T110000",
            "UID:2\nDTSTART;VALUE=DATE:20270328\nSUMMARY:Spring forward",
            "UID:3\nDTSTART;VALUE=DATE:20270701\nDTEND;VALUE=DATE:20270704",
        ),
        BERLIN,
    )
    assert [(item.start.isoformat(), (item.end - item.start)) for item in occurrences(items)] == [
        ("2027-07-01T10:00:00+02:00", timedelta(hours=1)),
        ("2027-03-28T00:00:00+01:00", timedelta(hours=23)),
        ("2027-07-01T00:00:00+02:00", timedelta(days=3)),
    ]


def test_a_calendars_own_zone_is_taken_for_floating_times() -> None:
    event = "UID:1\nDTSTART:20270701T100000\nDTEND:20270701T110000"
    assert starts(read(calendar(event, extra="X-WR-TIMEZONE:Asia/Tokyo\n"), BERLIN)) == [
        "2027-07-01T10:00:00+09:00"
    ]


def test_windows_names_and_zones_of_the_files_own_are_understood() -> None:
    own = """BEGIN:VTIMEZONE
TZID:Here
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0545
TZOFFSETTO:+0545
END:STANDARD
END:VTIMEZONE
"""
    windows = "UID:1\nDTSTART;TZID=W. Europe Standard Time:20270701T100000\nDURATION:PT1H"
    here = "UID:2\nDTSTART;TZID=Here:20270701T100000\nDURATION:PT1H"
    assert starts(read(calendar(windows, here, extra=own), BRISBANE)) == [
        "2027-07-01T10:00:00+02:00",
        "2027-07-01T10:00:00+05:45",
    ]


def test_additional_dates_and_periods_are_occurrences() -> None:
    event = """
UID:r
DTSTART:20270701T100000Z
DTEND:20270701T110000Z
RDATE:20270703T100000Z
RDATE;VALUE=PERIOD:20270705T100000Z/PT3H
"""
    items = occurrences(read(calendar(event), BERLIN))
    assert [(item.start.day, item.end - item.start) for item in items] == [
        (1, timedelta(hours=1)),
        (3, timedelta(hours=1)),
        (5, timedelta(hours=3)),
    ]


@pytest.mark.parametrize(
    ("line", "why", "failed"),
    [
        ("DTEND:20270701T110000Z\nSTATUS:CANCELLED", "cancelled", False),
        ("DTEND:20270701T110000Z\nTRANSP:TRANSPARENT", "takes up no time (TRANSP:TRANSPARENT)", False),
        ("DTEND:20270701T100000Z", "it has no length", False),
        ("DTEND:20279901", "its DTEND cannot be read", True),
        ("DTEND;TZID=Mars/Olympus:20270701T110000", "its time zone 'Mars/Olympus' is unknown", True),
        ("DTSTART:20270702T100000Z", "it has more than one DTSTART", True),
        ("DURATION:PT1H\nRRULE:FREQ=NOW", "its RRULE cannot be read", True),
        ("DURATION:PT1H\nEXDATE:never", "its EXDATE cannot be read", True),
    ],
)
def test_an_event_that_takes_up_no_time_or_cannot_be_read_is_reported(
    line: str, why: str, failed: bool
) -> None:
    good = "UID:good\nDTSTART:20270701T100000Z\nDURATION:PT1H"
    items = read(calendar(f"UID:bad\nDTSTART:20270701T100000Z\n{line}", good), BERLIN)
    assert skipped(items) == [(why, failed)]
    assert [item.uid for item in occurrences(items)] == ["good"]


def test_an_event_without_a_start_is_reported() -> None:
    assert skipped(read(calendar("UID:1\nSUMMARY:When?"), BERLIN)) == [("it has no DTSTART", True)]


def test_a_cancelled_occurrence_of_a_series_is_reported() -> None:
    items = read(calendar(WEEKLY, OVERRIDE + "STATUS:CANCELLED"), BRISBANE)
    assert len(occurrences(items)) == 12
    assert skipped(items) == [("cancelled", False)]


def test_reasons_that_a_series_gives_often_are_told_once() -> None:
    event = WEEKLY.replace("20270503T203000", "20270503T190000")
    (item,) = read(calendar(event), BRISBANE)
    assert isinstance(item, Skipped)
    assert item.what == "2027-05-03 19:00 Choir and 12 more"


def test_a_rule_without_end_is_followed_for_a_year_and_a_day_or_until_the_day_asked_for() -> None:
    event = WEEKLY.replace(";COUNT=13", "")
    items = read(calendar(event), BRISBANE)
    assert skipped(items) == [("it goes on without end; nothing after 2028-05-03 was read", False)]
    assert len(occurrences(items)) == 53
    items = read(calendar(event), BRISBANE, until=date(2027, 5, 11))
    assert len(occurrences(items)) == 2
    assert occurrences(items) == occurrences(read(calendar(event), BRISBANE))[:2]
    items = read(calendar(event), BRISBANE, until=date(2027, 5, 10))
    assert len(occurrences(items)) == 1, "11 May in Brisbane"
    assert skipped(read(calendar(event), BRISBANE, until=date(2027, 1, 1))) == [
        ("it begins after 2027-01-01", False)
    ]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;COUNT=1000000",
        "FREQ=DAILY;COUNT=100000",
    ],
)
def test_a_rule_with_too_many_occurrences_is_cut_and_spoils_nothing_else(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendar_series, "SECONDS", 0.2)
    bad = f"UID:bad\nDTSTART:20200101T000000Z\nDURATION:PT1S\nRRULE:{rule}"
    good = "UID:good\nDTSTART:20270701T100000Z\nDURATION:PT1H"
    items = read(calendar(bad, good), BERLIN, until=date(2100, 1, 1))
    assert [item.uid for item in occurrences(items)] == ["good"]
    ((why, failed),) = skipped(items)
    assert failed
    assert "--until" in why


def test_without_a_uid_an_event_is_known_by_what_it_says() -> None:
    event = "DTSTART:20270701T100000Z\nDURATION:PT1H\nSUMMARY:Tea"
    other = event.replace("Tea", "Coffee")
    first = occurrences(read(calendar(event, other), BERLIN))
    again = occurrences(read(calendar(other, event), BERLIN))
    assert {item.reservation for item in first} == {item.reservation for item in again}
    assert len(first) == 2


def test_an_event_that_moved_keeps_its_id() -> None:
    event = "UID:1\nDTSTART:20270701T100000Z\nDURATION:PT1H"
    (before,) = occurrences(read(calendar(event), BERLIN))
    (after,) = occurrences(read(calendar(event.replace("T10", "T12")), BERLIN))
    assert before.reservation == after.reservation
    assert before.start != after.start


def test_the_same_event_twice_is_one() -> None:
    event = "UID:1\nDTSTART:20270701T100000Z\nDURATION:PT1H"
    items = read(calendar(event) + calendar(event), BERLIN)
    assert len(occurrences(items)) == 1
    assert skipped(items) == [("the file has it twice", False)]


@pytest.mark.parametrize(
    ("line", "guest", "expected"),
    [
        ("SUMMARY:Board\\nmeeting", None, "Board meeting"),
        ("SUMMARY:Board\nORGANIZER;CN=Ada:mailto:ada@example.org", None, "Ada"),
        ("SUMMARY:Board\nORGANIZER:mailto:ada@example.org", None, "ada@example.org"),
        ("SUMMARY:Board\nORGANIZER;CN=Ada:mailto:ada@example.org", " Bob ", "Bob"),
        ("SUMMARY:" + "x" * 500, None, "x" * 200),
        ("COMMENT:nothing", None, "no summary"),
    ],
)
def test_the_guest_is_who_was_named_or_the_organizer_or_what_it_is_about(
    line: str, guest: str | None, expected: str
) -> None:
    event = f"UID:1\nDTSTART:20270701T100000Z\nDURATION:PT1H\n{line}"
    (item,) = occurrences(read(calendar(event), BERLIN, guest=guest))
    assert item.guest == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x00\xff\xfe",
        b'{"not": "a calendar"}',
        calendar(WEEKLY)[:-20],
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n",
    ],
)
def test_what_is_no_calendar_is_one_line(data: bytes) -> None:
    with pytest.raises(CalendarError, match=r"^not an iCalendar file[^\n]*$"):
        read(data, BERLIN)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 800), st.binary(max_size=8))
def test_a_damaged_calendar_is_no_traceback(at: int, junk: bytes) -> None:
    whole = calendar(WEEKLY, OVERRIDE)
    try:
        items = read(whole[:at] + junk + whole[at + len(junk) :], BERLIN)
    except CalendarError:
        return
    assert all(item.start < item.end for item in occurrences(items))


def test_instants_at_the_ends_of_time_are_no_traceback() -> None:
    items = read(
        calendar(
            "UID:1\nDTSTART:99991231T235959Z\nDTEND:99991231T235959Z\nRRULE:FREQ=DAILY",
            "UID:2\nDTSTART:00010101T000000\nDURATION:PT1H",
            "UID:3\nDTSTART;TZID=Europe/Berlin:18800101T000000\nDURATION:PT1H",
        ),
        BRISBANE,
    )
    assert [item for item in items if isinstance(item, Occurrence)] == []
    assert len(items) == 3


def test_local_mean_time_is_sent_in_utc() -> None:
    old = Reading(zone=ZoneInfo("Europe/Amsterdam"), until=date(2000, 1, 1))
    assert old.instant(datetime(1890, 6, 1)).utcoffset() == timedelta(0)


def test_a_file_that_is_missing_or_too_large_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CalendarError, match="No such file"):
        load(tmp_path / "missing.ics")
    with pytest.raises(CalendarError, match="directory"):
        load(tmp_path)
    monkeypatch.setattr(calendar_file, "FILE_BYTES", 1024 * 1024)
    (tmp_path / "large.ics").write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(CalendarError, match="larger than 1 MiB"):
        load(tmp_path / "large.ics")
