"""Each clause of the pipelined commit, as ``actors/commit.py`` states it."""

import asyncio

import msgspec
import pytest

from actors.journal.port import Corrupted, JournalFull, JournalUnavailable, OutcomeUnknown
from actors.messages import Accepted, Reason, Refused, Rejected, Shown
from tests.actors.house import Add, AddMany, Build, FaultyJournal, House


def versions(journal: FaultyJournal) -> list[int]:
    return [row.version for batch in journal.batches for row in batch if row.id == "a"]


async def test_an_acceptance_leaves_only_after_the_commit(house: House) -> None:
    house.journal.gate.clear()
    answer = house.tell(Add(1))
    await house.turns()
    assert not answer.done()
    house.journal.gate.set()
    accepted = await answer
    assert isinstance(accepted, Accepted)
    assert accepted.version == 1
    assert versions(house.journal) == [1]


async def test_an_entity_goes_on_deciding_while_its_commit_is_under_way(house: House) -> None:
    house.journal.gate.clear()
    first = house.tell(Add(1))
    await house.turns()
    others = [house.tell(Add(1)) for _ in range(50)]
    await house.turns()
    house.journal.gate.set()
    assert [(await answer).version for answer in (first, *others)] == list(range(1, 52))  # type: ignore[union-attr]
    assert len(house.journal.batches) == 2


async def test_a_rejection_decided_on_an_uncommitted_event_is_held(house: House) -> None:
    house.journal.gate.clear()
    accepted = house.tell(Add(100))
    await house.turns()
    rejected = house.tell(Add(1))
    await house.turns()
    assert not rejected.done()
    house.journal.gate.set()
    assert isinstance(await accepted, Accepted)
    assert isinstance(await rejected, Rejected)


async def test_a_read_of_an_uncommitted_version_is_held_and_shows_the_state_it_was_asked_at(
    house: House,
) -> None:
    house.journal.gate.clear()
    house.tell(Add(3))
    await house.turns()
    read = house.tell(None)
    await house.turns()
    house.tell(Add(4))
    await house.turns()
    assert not read.done()
    house.journal.gate.set()
    shown = await read
    assert isinstance(shown, Shown)
    assert shown.version == 1
    assert msgspec.json.decode(shown.body)["state"]["value"] == 3


async def test_a_read_of_another_entity_does_not_wait(house: House) -> None:
    await house.ask(Add(2), "b")
    house.journal.gate.clear()
    house.tell(Add(1), "a")
    await house.turns()
    assert isinstance(await house.ask(None, "b"), Shown)


async def test_a_failed_precondition_on_an_uncommitted_version_is_held(house: House) -> None:
    house.journal.gate.clear()
    house.tell(Add(1))
    await house.turns()
    refused = house.tell(Add(1), expected=0)
    await house.turns()
    assert not refused.done()
    house.journal.gate.set()
    answer = await refused
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.PRECONDITION


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (JournalUnavailable("locked"), Reason.JOURNAL_UNAVAILABLE),
        (JournalFull("no space"), Reason.JOURNAL_FULL),
        (Corrupted("two histories"), Reason.FAILED),
    ],
)
async def test_when_nothing_was_written_all_that_was_decided_is_void(
    house: House, error: Exception, reason: Reason
) -> None:
    await house.ask(Add(1))
    house.journal.gate.clear()
    first = house.tell(Add(10), key=b"k" * 16)
    await house.turns()
    second, read = house.tell(Add(20)), house.tell(None)
    await house.turns()
    house.journal.before.append(error)
    house.journal.gate.set()
    for answer in (await first, await second, await read):
        assert isinstance(answer, Refused)
        assert answer.reason is reason
    assert await house.value() == 1
    retried = await house.ask(Add(10), key=b"k" * 16)
    assert isinstance(retried, Accepted)
    assert not retried.replayed
    assert versions(house.journal) == [1, 2]


async def test_an_append_of_unknown_outcome_that_landed_is_answered_as_decided(house: House) -> None:
    house.journal.after.append(OutcomeUnknown("connection lost"))
    accepted = await house.ask(Add(1))
    assert isinstance(accepted, Accepted)
    assert accepted.version == 1
    assert await house.value() == 1
    assert (await house.ask(Add(1))).version == 2  # type: ignore[union-attr]
    assert versions(house.journal) == [1, 2]


async def test_an_append_of_unknown_outcome_that_did_not_land_is_asked_anew(house: House) -> None:
    await house.ask(Add(1))
    epoch = house.shard().epoch
    house.journal.before.append(OutcomeUnknown("connection lost"))
    accepted = await house.ask(Add(1))
    assert isinstance(accepted, Accepted)
    assert accepted.version == 2
    assert house.shard().epoch > epoch
    assert versions(house.journal) == [1, 2]


@pytest.mark.parametrize("landed", [True, False])
async def test_what_was_decided_behind_an_unknown_outcome_happens_once(house: House, landed: bool) -> None:
    house.journal.gate.clear()
    first = house.tell(Add(1), key=b"1" * 16)
    await house.turns()
    second, rejected = house.tell(Add(2), key=b"2" * 16), house.tell(Add(98))
    await house.turns()
    (house.journal.after if landed else house.journal.before).append(OutcomeUnknown("timeout"))
    house.journal.claim_errors.append(JournalUnavailable("not yet back"))
    house.journal.gate.set()
    assert (await first).version == 1  # type: ignore[union-attr]
    assert (await second).version == 2  # type: ignore[union-attr]
    assert isinstance(await rejected, Rejected)
    assert versions(house.journal) == [1, 2]
    assert await house.value() == 3


async def test_an_ask_that_arrives_while_the_shard_is_claimed_again_waits(house: House) -> None:
    house.journal.before.append(OutcomeUnknown("timeout"))
    house.journal.claim_errors.append(JournalUnavailable("not yet back"))
    first = house.tell(Add(1))
    await house.turns()
    second = house.tell(Add(1))
    await house.turns()
    assert not second.done()
    assert sorted([(await first).version, (await second).version]) == [1, 2]  # type: ignore[union-attr]


async def test_a_fenced_shard_answers_moved_and_the_others_commit(build: Build) -> None:
    house = await build(shards=64)
    ids = [str(n) for n in range(20)]
    stolen = house.shard("0").number
    house.journal.gate.clear()
    answers = {id: house.tell(Add(1), id) for id in ids}
    await house.turns()
    behind = {id: house.tell(Add(1), id) for id in ids}
    await house.turns()
    await house.journal.inner.claim([stolen], "a rival")
    house.journal.gate.set()
    for id in ids:
        for answer in (await answers[id], await behind[id]):
            if house.shard(id).number == stolen:
                assert isinstance(answer, Refused)
                assert answer.reason is Reason.MOVED
            else:
                assert isinstance(answer, Accepted)
    assert await house.journal.feed(stolen, 0, 10) == []
    assert house.shard("0").entities == {}
    moved = await house.ask(None, "0")
    assert isinstance(moved, Refused)
    assert moved.reason is Reason.MOVED


async def test_a_snapshot_is_written_by_the_commit_of_its_version(build: Build) -> None:
    house = await build(entities={"snapshot_every": 10})
    house.journal.gate.clear()
    first = house.tell(Add(1))
    await house.turns()
    more = [house.tell(Add(1)) for _ in range(30)]
    await house.turns()
    house.journal.before.append(JournalUnavailable("locked"))
    house.journal.gate.set()
    for answer in (first, *more):
        await answer
    assert house.journal.snapshots == []
    for _ in range(11):
        await house.ask(Add(1))
    assert [snapshot.version for snapshot in house.journal.snapshots] == [10]


@pytest.mark.parametrize("fault", ["none", "void", "unknown"])
async def test_a_settled_batch_lets_go_of_what_it_carried(house: House, fault: str) -> None:
    house.journal.gate.clear()
    answers = [house.tell(Add(1), id) for id in ("a", "b", "c")]
    await house.turns()
    entity = house.shard("a").entities["counter", "a"]
    batch = entity.batch
    assert len(batch.held) == len(batch.rows) == 3
    if fault == "void":
        house.journal.before.append(JournalUnavailable("locked"))
    elif fault == "unknown":
        house.journal.after.append(OutcomeUnknown("timeout"))
    house.journal.gate.set()
    for answer in answers:
        await answer
    await house.turns()
    assert batch.committed
    assert (batch.held, batch.rows, batch.snapshots, batch.then) == ([], [], [], [])


async def test_several_events_of_one_command_are_one_commit(house: House) -> None:
    accepted = await house.ask(AddMany([1, 2, 3]))
    assert isinstance(accepted, Accepted)
    assert accepted.version == 3
    assert [event["data"]["amount"] for event in msgspec.json.decode(accepted.body)["events"]] == [1, 2, 3]
    assert [len(batch) for batch in house.journal.batches] == [3]


async def test_a_full_commit_queue_refuses_before_deciding(build: Build) -> None:
    house = await build(commits={"queue": 3})
    house.journal.gate.clear()
    taken = [house.tell(Add(1), str(n)) for n in range(3)]
    await house.turns()
    refused = await house.ask(Add(1), "late")
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.OVERLOADED
    house.journal.gate.set()
    assert all([isinstance(await answer, Accepted) for answer in taken])


async def test_large_queues_are_committed_in_bounded_batches(build: Build) -> None:
    house = await build(commits={"batch": 10})
    house.journal.gate.clear()
    house.tell(Add(0), "first")
    await house.turns()
    answers = [house.tell(Add(0), "a") for _ in range(95)]
    await house.turns(60)
    house.journal.gate.set()
    assert [(await answer).version for answer in answers] == list(range(1, 96))  # type: ignore[union-attr]
    assert max(len(batch) for batch in house.journal.batches) <= 10
    assert versions(house.journal) == list(range(1, 96))


async def test_a_journal_in_trouble_is_looked_at_until_it_is_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.commit.PROBE_SECONDS", 0.001)
    house.journal.before.append(JournalFull("no space"))
    house.journal.claim_errors.extend([JournalFull("still none")] * 3)
    assert isinstance(await house.ask(Add(1)), Refused)
    assert house.region.trouble() == "no space"
    async with asyncio.timeout(5):
        while house.region.trouble():
            await asyncio.sleep(0.001)
    assert house.journal.claim_errors == []
    assert isinstance(await house.ask(Add(1)), Accepted)
