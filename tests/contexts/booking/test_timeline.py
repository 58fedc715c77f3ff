"""The timeline against a plain list."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from contexts.booking import timeline as module
from contexts.booking.slot import Slot
from contexts.booking.timeline import Timeline

SPANS = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 12), st.booleans()), max_size=150)


def between(start: int, end: int) -> Slot:
    return Slot(timedelta(minutes=start), timedelta(minutes=end))


@settings(max_examples=200, deadline=None)
@given(SPANS, st.integers(2, 8))
def test_a_timeline_meets_what_a_plain_list_meets(spans: list[tuple[int, int, bool]], block: int) -> None:
    full, module.BLOCK = module.BLOCK, block
    try:
        plain: dict[str, Slot] = {}
        line = Timeline()
        for number, (start, length, keep) in enumerate(spans):
            wanted = between(start, start + length)
            met = list(line.meeting(wanted))
            assert sorted(met) == sorted(id for id, each in plain.items() if each.overlaps(wanted))
            assert met == sorted(met, key=lambda id: plain[id].start, reverse=True)
            if not met:
                line.add(wanted, str(number))
                plain[str(number)] = wanted
            elif not keep:
                line.remove(plain.pop(met[0]))
            assert list(line) == sorted(((s, i) for i, s in plain.items()), key=lambda entry: entry[0].start)
    finally:
        module.BLOCK = full


def test_a_timeline_made_of_entries_equals_one_that_grew() -> None:
    entries = [(between(n * 2, n * 2 + 1), str(n)) for n in range(2000)]
    assert list(Timeline(reversed(entries))) == entries


def test_looking_up_reads_few_entries_however_many_there_are() -> None:
    looked_at = 0

    class Counted(timedelta):
        def __gt__(self, other: timedelta) -> bool:
            nonlocal looked_at
            looked_at += 1
            return super().__gt__(other)

        def __lt__(self, other: timedelta) -> bool:
            nonlocal looked_at
            looked_at += 1
            return super().__lt__(other)

    line = Timeline((between(n * 2, n * 2 + 1), str(n)) for n in range(100_000))
    assert list(line.meeting(Slot(Counted(minutes=99_999), Counted(minutes=100_000)))) == []
    assert 0 < looked_at < 40
