"""Slots compare instants, whatever offsets they were written with."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contexts.booking.slot import slot

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
SPANS = st.tuples(st.integers(0, 20), st.integers(1, 20)).map(
    lambda span: (NOON + span[0] * HOUR, NOON + (span[0] + span[1]) * HOUR)
)


def test_back_to_back_slots_do_not_overlap() -> None:
    first, second = slot(NOON, NOON + HOUR), slot(NOON + HOUR, NOON + 2 * HOUR)
    assert not first.overlaps(second)
    assert not second.overlaps(first)


@given(SPANS, SPANS, OFFSETS, OFFSETS)
def test_two_slots_overlap_if_they_share_an_hour_in_any_offset(
    a: tuple[datetime, datetime], b: tuple[datetime, datetime], one: timezone, other: timezone
) -> None:
    def hours(span: tuple[datetime, datetime]) -> set[datetime]:
        return {span[0] + n * HOUR for n in range((span[1] - span[0]) // HOUR)}

    local = slot(a[0].astimezone(one), a[1].astimezone(other)), slot(b[0].astimezone(other), b[1])
    assert local[0].overlaps(local[1]) == local[1].overlaps(local[0]) == bool(hours(a) & hours(b))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (NOON, NOON),
        (NOON, NOON - HOUR),
        (NOON, NOON + timedelta(days=366, microseconds=1)),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), datetime(1, 1, 2, tzinfo=UTC)),
        (datetime(9999, 12, 31, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=timezone(-14 * HOUR))),
        # The same instant twice, 30 minutes apart on the wall clock.
        (NOON, datetime(2027, 1, 15, 12, 30, tzinfo=timezone(timedelta(minutes=30)))),
    ],
)
def test_an_impossible_slot_is_told(start: datetime, end: datetime) -> None:
    assert not slot(start, end).is_possible()


def test_a_slot_across_a_clock_change_has_its_true_length() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night = slot(datetime(2027, 3, 28, 1, tzinfo=berlin), datetime(2027, 3, 28, 4, tzinfo=berlin))
    assert night.end - night.start == 2 * HOUR
