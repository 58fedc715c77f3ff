"""What RFC 5545 asks of a calendar file, read back by a library and by hand."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contexts.vocabulary import Calendar, CalendarEntry
from gateway.calendar_answer import NoSuchZone, render_calendar

CHANGED = datetime(2027, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "Asia/Tokyo", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]


def entry(start: datetime, hours: float = 1, **more: Any) -> CalendarEntry:
    end = start + timedelta(hours=hours)
    return CalendarEntry(
        **{"uid": "r1@maple", "summary": "Lunch", **more}, start=start, end=end, changed=CHANGED
    )


def events(data: bytes) -> list[icalendar.Event]:
    """Read back by a library."""
    found = icalendar.Calendar.from_ical(data)
    assert isinstance(found, icalendar.Calendar)
    return found.events


def lines(calendar: Calendar) -> list[str]:
    """Unfolded (section 3.1)."""
    return render_calendar(calendar).decode().replace("\r\n ", "").split("\r\n")


def test_the_file_says_what_the_standard_demands() -> None:
    found = lines(Calendar("Maple", "Europe/Berlin", [entry(datetime(2027, 7, 1, 10, tzinfo=UTC))]))
    assert found[0] == "BEGIN:VCALENDAR"
    assert found[-2:] == ["END:VCALENDAR", ""]
    for line in (
        "VERSION:2.0",
        "NAME:Maple",
        "X-WR-CALNAME:Maple",
        "BEGIN:VTIMEZONE",
        "TZID:Europe/Berlin",
        "UID:r1@maple",
        "DTSTAMP:20270102T030405Z",
        "DTSTART;TZID=Europe/Berlin:20270701T120000",
        "DTEND;TZID=Europe/Berlin:20270701T130000",
        "SUMMARY:Lunch",
        "STATUS:CONFIRMED",
    ):
        assert line in found, line
    assert sum(line.startswith("PRODID:-//Butai//") for line in found) == 1


def test_lines_end_with_crlf_and_have_75_octets_at_most() -> None:
    long = "本棚, und; \\ noch mehr " * 20
    data = render_calendar(
        Calendar(long, "Asia/Tokyo", [entry(CHANGED, summary=long, description="one\ntwo")])
    )
    assert data.count(b"\n") == data.count(b"\r\n")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    for line in data.split(b"\r\n"):
        line.decode()  # folded between characters
    (event,) = events(data)
    assert event["summary"] == long
    assert event["description"] == "one\ntwo"
    summary = next(
        line for line in data.decode().replace("\r\n ", "").split("\r\n") if line.startswith("SUMMARY:")
    )
    assert summary.startswith("SUMMARY:本棚\\, und\\; \\\\ noch")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_is_read_back_but_for_control_characters(summary: str) -> None:
    data = render_calendar(Calendar("Maple", "UTC", [entry(CHANGED, summary=summary)]))
    assert all(len(one) <= 75 for one in data.split(b"\r\n"))
    (event,) = events(data)
    kept = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", summary.replace("\r\n", "\n"))
    assert event["summary"] == kept


def test_a_hold_is_tentative() -> None:
    found = lines(Calendar("Maple", "UTC", [entry(CHANGED, tentative=True)]))
    assert "STATUS:TENTATIVE" in found


def offset_by_file(text: list[str], local: datetime) -> timedelta:
    """The offset that the VTIMEZONE gives a wall time (section 3.6.5): the last onset not after it."""
    onsets: list[tuple[datetime, str]] = []
    start, offset = None, ""
    for line in text:
        if line in ("BEGIN:STANDARD", "BEGIN:DAYLIGHT"):
            start, offset, extra = None, "", []
        elif match := re.fullmatch(r"DTSTART:(\d{8}T\d{6})", line):
            start = datetime.strptime(match[1], "%Y%m%dT%H%M%S")
        elif match := re.fullmatch(r"RDATE:(.*)", line):
            extra += [datetime.strptime(one, "%Y%m%dT%H%M%S") for one in match[1].split(",")]
        elif match := re.fullmatch(r"TZOFFSETTO:([+-]\d{4,6})", line):
            offset = match[1]
        elif line.startswith("RRULE"):
            raise AssertionError("a rule is not expected")
        elif line in ("END:STANDARD", "END:DAYLIGHT"):
            assert start is not None
            onsets += [(one, offset) for one in (start, *extra)]
    _, text_of = max((at, of) for at, of in onsets if at <= local)
    sign = -1 if text_of[0] == "-" else 1
    return sign * timedelta(hours=int(text_of[1:3]), minutes=int(text_of[3:5]))


@settings(deadline=None)
@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
)
def test_every_instant_is_read_back_as_it_was_with_the_file_s_own_zone(zone: str, start: datetime) -> None:
    start = start.replace(microsecond=0, second=0)
    data = render_calendar(Calendar("Maple", zone, [entry(start)]))
    (event,) = events(data)
    # In the doubled hour Python takes times of two zones for unequal, whatever they are.
    assert [event.decoded("dtstart").astimezone(UTC), event.decoded("dtend").astimezone(UTC)] == [
        start,
        start + timedelta(hours=1),
    ]
    text = data.decode().replace("\r\n ", "").split("\r\n")
    named = next(
        line for line in text if line.startswith("DTSTART;TZID") or (line.endswith("Z") and "DTSTART" in line)
    )
    if named.startswith("DTSTART;TZID"):
        local = datetime.strptime(named.rpartition(":")[2], "%Y%m%dT%H%M%S")
        assert local - offset_by_file(text, local) == start.replace(tzinfo=None)


class TestClockChanges:
    def test_an_hour_that_is_there_once_keeps_its_wall_time(self) -> None:
        # Berlin, 28 March 2027: 02:00 becomes 03:00.
        before = entry(datetime(2027, 3, 28, 0, 30, tzinfo=UTC), uid="a")
        found = lines(Calendar("Maple", "Europe/Berlin", [before]))
        assert "DTSTART;TZID=Europe/Berlin:20270328T013000" in found
        assert "DTEND;TZID=Europe/Berlin:20270328T033000" in found

    def test_the_doubled_hour_is_told_apart(self) -> None:
        # Berlin, 31 October 2027: 03:00 becomes 02:00; 02:30 is there at 00:30Z and at 01:30Z.
        first = entry(datetime(2027, 10, 31, 0, 30, tzinfo=UTC), uid="a", hours=0.25)
        second = entry(datetime(2027, 10, 31, 1, 30, tzinfo=UTC), uid="b", hours=0.25)
        data = render_calendar(Calendar("Maple", "Europe/Berlin", [first, second]))
        starts = {
            str(event["uid"]): event.decoded("dtstart")
            for event in icalendar.Calendar.from_ical(data).walk("VEVENT")
        }
        assert starts["a"].astimezone(UTC) == first.start
        assert starts["b"].astimezone(UTC) == second.start
        assert b"DTSTART;TZID=Europe/Berlin:20271031T023000" in data
        assert b"DTSTART:20271031T013000Z" in data


def test_a_calendar_without_entries_is_one_still() -> None:
    data = render_calendar(Calendar("Maple", "Europe/Berlin"))
    assert icalendar.Calendar.from_ical(data)["name"] == "Maple"


def test_a_zone_that_does_not_exist_is_told() -> None:
    with pytest.raises(NoSuchZone, match="No/Where"):
        render_calendar(Calendar("Maple", "No/Where"))
