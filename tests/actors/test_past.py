"""What an entity was, by version and by instant, also where a clock was once set back."""

from itertools import takewhile

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.aggregate import AggregateType
from actors.journal.codec import encode_event
from actors.journal.memory import MemoryJournal
from actors.journal.port import JournalUnavailable, Row
from actors.manifest import read
from actors.messages import Absent, Reason, Refused, Shown
from actors.past import Past
from actors.replies import instant
from actors.settings import EntitySettings
from tests.actors import house

NOON = 1_800_000_000_000_000
"""Microseconds."""


async def past_of(*ats: int) -> tuple[Past, MemoryJournal]:
    """A counter that was told 1, 2, 4 and so on, at these times."""
    journal = MemoryJournal(4)
    await journal.claim([0], "tester")
    rows = [
        Row(
            0,
            number,
            "counter",
            "a",
            number,
            "Added",
            b"\x00" * 15 + bytes([number]),
            None,
            at,
            "ada",
            None,
            encode_event(house.Added(2 ** (number - 1))),
        )
        for number, at in enumerate(ats, 1)
    ]
    if rows:
        await journal.append(rows, {0: 1})
    kinds = {"counter": AggregateType(read(house.context).aggregates["counter"], EntitySettings())}
    return Past(journal, kinds, lambda aggregate, id, seq: f"sums/0:{seq}"), journal


async def value_when(past: Past, at: int) -> int | None:
    answer = await past.state_when("counter", "a", instant(at))
    if isinstance(answer, Absent):
        return None
    assert isinstance(answer, Shown)
    body = msgspec.json.decode(answer.body)
    assert body["version"] == answer.version
    assert body["position"] == f"sums/0:{answer.version}"
    return int(body["state"]["value"])


async def test_the_state_at_an_instant_has_the_events_until_then_and_of_then() -> None:
    past, _ = await past_of(NOON, NOON + 10, NOON + 20)
    told = [await value_when(past, NOON + after) for after in (-1, 0, 9, 10, 19, 20, 10**12)]
    assert told == [None, 1, 1, 3, 3, 7, 7]


async def test_a_clock_that_was_set_back_changes_nothing() -> None:
    past, _ = await past_of(NOON, NOON + 100, NOON + 50, NOON + 60)
    assert await value_when(past, NOON + 60) == 1
    assert await value_when(past, NOON + 99) == 1
    assert await value_when(past, NOON + 100) == 15


@given(st.lists(st.integers(0, 6), max_size=8), st.integers(-1, 7))
async def test_the_first_later_event_ends_the_run_whatever_the_times_are(times: list[int], at: int) -> None:
    past, _ = await past_of(*(NOON + time for time in times))
    count = len(list(takewhile(lambda time: time <= at, times)))
    assert await value_when(past, NOON + at) == (2**count - 1 if count else None)


async def test_nothing_has_no_past() -> None:
    past, _ = await past_of()
    assert await past.state_when("counter", "a", instant(NOON)) == Absent(0)
    assert await past.state_at("counter", "a", 1) == Absent(0)


async def test_a_version_that_is_not_yet_is_refused() -> None:
    past, _ = await past_of(NOON)
    answer = await past.state_at("counter", "a", 2)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.NO_SUCH_VERSION


async def test_a_journal_that_is_away_is_told() -> None:
    past, journal = await past_of(NOON)
    journal.fail_read(JournalUnavailable("it is away"))
    answer = await past.state_when("counter", "a", instant(NOON))
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.JOURNAL_UNAVAILABLE
