"""Finding, recovering, passivating and supervising entities."""

import asyncio

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.clock import VirtualClock
from actors.journal.memory import MemoryJournal
from actors.journal.port import JournalUnavailable, OutcomeUnknown, Row
from actors.messages import Absent, Accepted, Reason, Refused, Shown
from actors.past import History
from actors.settings import Settings, SupervisionSettings
from actors.shard import Quarantined, ShardState
from tests.actors.house import Add, Build, Explode, FaultyJournal, House


def reason(answer: object) -> Reason | None:
    return answer.reason if isinstance(answer, Refused) else None


async def test_a_full_mailbox_refuses_at_once_and_loses_nothing(build: Build) -> None:
    house = await build(entities={"mailbox": 5})
    await house.ask(Add(0))
    answers = [house.tell(Add(0)) for _ in range(40)]
    done = [await answer for answer in answers]
    accepted = [a for a in done if isinstance(a, Accepted)]
    assert 5 <= len(accepted) <= 40
    assert all(reason(a) is Reason.MAILBOX_FULL for a in done if not isinstance(a, Accepted))
    shown = await house.ask(None)
    assert isinstance(shown, Shown)
    assert shown.version == 1 + len(accepted)


async def test_asks_that_wait_for_a_recovery_are_bounded_per_entity(build: Build) -> None:
    house = await build(entities={"mailbox": 3})
    house.journal.replay_gate.clear()
    answers = [house.tell(Add(0)) for _ in range(5)]
    await house.turns()
    assert [reason(a.result()) for a in answers if a.done()] == [Reason.MAILBOX_FULL] * 2
    house.journal.replay_gate.set()
    assert [isinstance(await a, Accepted) for a in answers] == [True] * 3 + [False] * 2


async def test_recoveries_are_bounded_and_so_is_what_waits_for_them(build: Build) -> None:
    house = await build(entities={"recoveries": 4, "waiting": 10})
    house.journal.replay_gate.clear()
    answers = [house.tell(Add(0), str(n)) for n in range(12)]
    await house.turns()
    assert [reason(a.result()) for a in answers if a.done()] == [Reason.OVERLOADED] * 2
    house.journal.replay_gate.set()
    assert sum([isinstance(await a, Accepted) for a in answers]) == 10
    assert house.journal.replaying_most == 4
    assert house.region.recoveries.waiting == 0


async def test_an_idle_entity_is_passivated_and_found_again(build: Build) -> None:
    house = await build(entities={"idle": 120.0})
    await house.ask(Add(5))
    house.clock.advance(119)
    await house.turns()
    assert house.region.active == 1
    house.clock.advance(61)
    await house.turns()
    assert house.region.active == 0
    assert await house.value() == 5


async def test_an_entity_with_uncommitted_events_is_not_passivated(build: Build) -> None:
    house = await build(entities={"idle": 120.0})
    house.journal.gate.clear()
    answer = house.tell(Add(5), patience=10_000)
    await house.turns()
    house.clock.advance(1000)
    await house.turns()
    assert house.region.active == 1
    house.journal.gate.set()
    assert isinstance(await answer, Accepted)


async def test_above_the_cap_the_least_recently_used_leave(build: Build) -> None:
    house = await build(shards=1, entities={"active": 10})
    for n in range(10):
        await house.ask(Add(1), str(n))
        house.clock.advance(1)
    await house.ask(Add(1), "0")
    house.clock.advance(1)
    for n in range(10, 15):
        await house.ask(Add(1), str(n))
        house.clock.advance(1)
    alive = {key[1] for key in house.shard().entities}
    assert len(alive) == 10
    assert "0" in alive
    assert not alive & {"1", "2", "3", "4", "5"}


async def test_passivation_keeps_a_snapshot_when_a_replay_would_be_long(build: Build) -> None:
    house = await build(entities={"idle": 10.0, "snapshot_every": 100})
    for _ in range(20):
        await house.ask(Add(1), "long")
    await house.ask(Add(1), "short")
    house.clock.advance(20)
    await house.turns()
    assert house.region.active == 0
    assert [(s.id, s.version) for s in house.journal.snapshots] == [("long", 20)]
    assert await house.value("long") == 20


@pytest.mark.parametrize("where", ["decide", "evolve"])
async def test_a_bug_in_a_context_is_answered_and_the_entity_goes_on(house: House, where: str) -> None:
    await house.ask(Add(1))
    assert reason(await house.ask(Explode(where))) is Reason.FAILED
    assert await house.value() == 1
    assert (await house.ask(Add(1))).version == 2  # type: ignore[union-attr]


async def test_a_failing_command_takes_nothing_with_it_that_was_decided_before(house: House) -> None:
    await house.ask(Add(1), "b")
    house.journal.gate.clear()
    before = [house.tell(Add(1)), house.tell(Add(1), "b")]
    await house.turns()
    behind = [house.tell(Add(1)), house.tell(Explode("evolve")), house.tell(Add(1))]
    await house.turns()
    assert reason(behind[1].result()) is Reason.FAILED
    assert not behind[2].done()
    house.journal.gate.set()
    assert [isinstance(await a, Accepted) for a in before] == [True, True]
    assert [(await a).version for a in (behind[0], behind[2])] == [2, 3]  # type: ignore[union-attr]


async def test_an_entity_that_fails_too_often_is_quarantined_until_released(build: Build) -> None:
    house = await build(supervision={"failures": 3, "window": 60.0, "backoff": 1.0})
    await house.ask(Add(1))
    for _ in range(3):
        answer = house.tell(Explode("decide"), patience=1000)
        await house.turns()
        house.clock.advance(10)
        assert reason(await answer) is Reason.FAILED
    assert reason(await house.ask(None)) is Reason.QUARANTINED
    assert list(house.region.quarantined()) == [("counter", "a")]
    assert isinstance(await house.ask(Add(1), "b"), Accepted)
    assert house.region.release("counter", "a")
    assert not house.region.release("counter", "a")
    assert await house.value() == 1


async def test_a_restart_waits_for_its_backoff(build: Build) -> None:
    house = await build(supervision={"failures": 5, "window": 60.0, "backoff": 2.0})
    await house.ask(Explode("decide"))
    await house.ask(Explode("decide"))
    answer = house.tell(Add(1), patience=100)
    await house.turns()
    assert not answer.done()
    house.clock.advance(2)
    assert isinstance(await answer, Accepted)


async def test_too_many_quarantines_restart_the_shard(build: Build) -> None:
    house = await build(shards=1, supervision={"failures": 1, "quarantines": 3})
    epoch = house.shard().epoch
    for id in "abc":
        await house.ask(Explode("decide"), id)
    await house.turns()
    assert house.shard().epoch == epoch + 1
    assert house.shard().state is ShardState.OPEN
    assert house.region.quarantined() == {}
    assert isinstance(await house.ask(Add(1)), Accepted)


async def test_an_unknown_event_type_is_said_for_that_entity_only(house: House) -> None:
    await house.ask(Add(1), "a")
    await house.ask(Add(1), "b")
    row = house.journal.batches[0][0]
    shard = house.shard("z")
    stranger = Row(
        shard.number, shard.seq + 1, "counter", "z", 1, "Vanished", b"x" * 16, None, 0, "", None, b"\x80"
    )
    shard.seq += 1
    assert row.type == "Added"
    await house.journal.inner.append([stranger], {shard.number: shard.epoch})
    shard.committed = shard.seq
    assert reason(await house.ask(None, "z")) is Reason.UNREADABLE
    assert reason(await house.ask(Add(1), "z")) is Reason.UNREADABLE
    assert await house.value("b") == 1


async def test_a_journal_that_cannot_be_read_is_no_fault_of_the_entity(house: House) -> None:
    house.journal.replay_error = JournalUnavailable("gone")
    assert reason(await house.ask(Add(1))) is Reason.JOURNAL_UNAVAILABLE
    house.journal.replay_error = None
    assert isinstance(await house.ask(Add(1)), Accepted)


async def test_a_draining_region_finishes_what_it_took_and_refuses_the_rest(build: Build) -> None:
    house = await build()
    house.journal.gate.clear()
    taken = house.tell(Add(1))
    await house.turns()
    draining = asyncio.ensure_future(house.region.drain(5.0))
    await house.turns()
    assert reason(await house.ask(Add(1))) is Reason.STOPPING
    house.journal.gate.set()
    assert isinstance(await taken, Accepted)
    await draining
    assert house.region.active == 0


async def test_past_states_and_history_are_read_from_the_journal(house: House) -> None:
    for amount in (1, 2, 3):
        await house.ask(Add(amount))
    past = await house.region.past.state_at("counter", "a", 2)
    assert isinstance(past, Shown)
    assert msgspec.json.decode(past.body)["state"]["value"] == 3
    assert reason(await house.region.past.state_at("counter", "a", 4)) is Reason.NO_SUCH_VERSION
    assert await house.region.past.state_at("counter", "nobody", 1) == Absent(0)
    page = await house.region.past.history("counter", "a", 1, 1)
    assert isinstance(page, History)
    assert [event["version"] for event in msgspec.json.decode(page.events)] == [2]
    assert (page.last, page.more) == (2, True)
    end = await house.region.past.history("counter", "a", 3, 10)
    assert end == History(b"[]", 3, False)
    assert await house.region.past.history("counter", "nobody", 0, 10) == Absent(0)


steps = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.integers(0, 5), st.sampled_from(["", "", "", "before", "after", "bug"])
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_whatever_fails_every_acknowledged_command_is_in_the_journal_once(
    steps: list[tuple[str, int, str]],
) -> None:
    asyncio.run(_run(steps))


async def _run(steps: list[tuple[str, int, str]]) -> None:
    journal = FaultyJournal(MemoryJournal(2))
    limits = Settings(supervision=SupervisionSettings(failures=1000, backoff=0.0))
    house = await House(journal, VirtualClock(), limits).open()
    asked = []
    for number, (id, turns, fault) in enumerate(steps):
        if fault == "before":
            journal.before.append(OutcomeUnknown("lost before"))
        elif fault == "after":
            journal.after.append(OutcomeUnknown("lost after"))
        command = Explode("evolve") if fault == "bug" else Add(1)
        key = number.to_bytes(16, "big")
        asked.append((id, key, house.tell(command, id, key=key, patience=1e9)))
        await house.turns(turns)
    answers = [(id, key, await asyncio.wait_for(answer, 20)) for id, key, answer in asked]
    rows = [row for shard in (0, 1) for row in await journal.feed(shard, 0, 10_000)]
    for id in "abc":
        stored = [row for row in rows if row.id == id]
        assert [row.version for row in stored] == list(range(1, len(stored) + 1))
        acknowledged = {(key, a.version) for i, key, a in answers if i == id and isinstance(a, Accepted)}
        assert {(row.command_id, row.version) for row in stored} >= acknowledged
        assert len({row.command_id for row in stored}) == len(stored)
        shown = await house.ask(None, id)
        assert shown.version == len(stored) if stored else isinstance(shown, Absent)  # type: ignore[union-attr]
    for shard in (0, 1):
        feed = await journal.feed(shard, 0, 10_000)
        assert [row.seq for row in feed] == list(range(1, len(feed) + 1))
    await house.close()


async def test_quarantine_says_since_when_and_why(build: Build) -> None:
    house = await build(supervision={"failures": 1})
    await house.ask(Explode("decide"))
    (found,) = house.region.quarantined().values()
    assert isinstance(found, Quarantined)
    assert "RuntimeError" in found.why
