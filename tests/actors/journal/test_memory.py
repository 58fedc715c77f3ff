"""The journal in memory keeps the promises, and fails on order."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.journal.memory import MemoryJournal
from actors.journal.port import Journal, JournalFull, JournalUnavailable, OutcomeUnknown
from tests.actors.journal.conformance import SHARDS, Conformance, row


class TestMemoryJournal(Conformance):
    @pytest.fixture
    async def journal(self) -> AsyncIterator[Journal]:
        made = MemoryJournal(SHARDS)
        yield made
        await made.close()


async def test_an_append_with_unknown_outcome_has_written_or_not_as_ordered() -> None:
    journal = MemoryJournal(SHARDS)
    [claim] = await journal.claim([1], "a")
    journal.fail_append(OutcomeUnknown("the line went dead"), written=True)
    journal.fail_append(OutcomeUnknown("the line went dead"), written=False)
    for seq in (1, 2):
        with pytest.raises(OutcomeUnknown):
            await journal.append([row(1, seq, "x", seq)], {1: claim.epoch})
    assert await journal.feed(1, 0, 10) == [row(1, 1, "x", 1)]


@pytest.mark.parametrize("error", [JournalUnavailable("away"), JournalFull("no space")])
async def test_a_refused_append_writes_nothing_and_the_next_goes_through(error: JournalFull) -> None:
    journal = MemoryJournal(SHARDS)
    [claim] = await journal.claim([1], "a")
    journal.fail_append(error)
    with pytest.raises(type(error)):
        await journal.append([row(1, 1, "x", 1)], {1: claim.epoch})
    assert await journal.append([row(1, 1, "x", 1)], {1: claim.epoch}) == frozenset()


async def test_a_held_append_waits_and_is_fenced_by_a_claim_made_meanwhile() -> None:
    journal = MemoryJournal(SHARDS)
    [claim] = await journal.claim([1], "a")
    journal.hold()
    append = asyncio.ensure_future(journal.append([row(1, 1, "x", 1)], {1: claim.epoch}))
    await asyncio.sleep(0)
    assert journal.held == 1
    journal.claim_elsewhere(1)
    journal.let_go()
    assert await append == {1}
    assert await journal.feed(1, 0, 10) == []


async def test_a_failed_claim_raises_no_epoch_and_a_failed_read_is_over_at_once() -> None:
    journal = MemoryJournal(SHARDS)
    journal.fail_claim(JournalUnavailable("away"))
    with pytest.raises(JournalUnavailable):
        await journal.claim([1], "a")
    assert (await journal.claim([1], "a"))[0].epoch == 1
    journal.fail_read(JournalUnavailable("away"))
    with pytest.raises(JournalUnavailable):
        await journal.feed(1, 0, 10)
    assert await journal.feed(1, 0, 10) == []


async def test_a_closed_journal_refuses() -> None:
    journal = MemoryJournal(SHARDS)
    await journal.close()
    with pytest.raises(JournalUnavailable):
        await journal.claim([1], "a")
