import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from actors.fabric import courier as module
from actors.fabric.codec import EnvelopeCodec
from actors.fabric.connection import Connection, Msg
from actors.fabric.courier import Courier, Outcome
from actors.fabric.envelope import AnswerBatch, AskBatch, WireAsk, decode_asks, encode
from actors.fabric.server import EmbeddedServer
from actors.messages import Accepted, Answer, Ask, Reason, Refused, Rejected, Shown
from actors.routing import Undelivered
from tests.actors.fabric.conftest import Connect
from tests.actors.fabric.samples import Cancel, Reserve, Taken, ask, manifests, moment
from tests.actors.fabric.waiting import until


class Office:
    """A worker's courier, what was delivered to it and what its own asks were answered."""

    def __init__(self, connection: Connection, worker: str) -> None:
        self.connection = connection
        self.worker = worker
        self.delivered: list[tuple[str, int, Ask]] = []
        self.answer: Callable[[Ask], Answer | None] = lambda ask: Accepted(1, b"{}")
        self.outcomes: list[Outcome] = []
        self.clock = asyncio.get_running_loop().time
        codec = EnvelopeCodec(manifests())
        self.courier = Courier(connection, codec, "venue", worker, self.deliver, self.clock)

    def deliver(self, context: str, shard: int, ask: Ask) -> None:
        self.delivered.append((context, shard, ask))
        answer = self.answer(ask)
        if answer is not None:
            ask.reply(answer)

    def send(self, worker: str, command: Any = None, seconds: float = 5.0, **fields: Any) -> None:
        sent = ask(command, deadline=self.clock() + seconds, **fields)
        self.courier.send(worker, "booking", 3, sent, self.outcomes.append)

    async def outcome(self) -> Outcome:
        await until(lambda: self.outcomes)
        return self.outcomes.pop(0)


Open = Callable[[str], Awaitable[Office]]


@pytest.fixture
async def office(connecting: Connect) -> AsyncIterator[Open]:
    offices: list[Office] = []

    async def make(worker: str) -> Office:
        made = Office(await connecting(worker), worker)
        await made.courier.open()
        offices.append(made)
        return made

    yield make
    for one in offices:
        await one.courier.close()


async def overhear(office: Office, subject: str) -> list[Msg]:
    heard: list[Msg] = []

    async def hear(message: Msg) -> None:
        heard.append(message)

    await office.connection.subscribe(subject, hear)
    return heard


async def test_a_command_is_decided_elsewhere_and_its_answer_comes_back(office: Open) -> None:
    here, there = await office("w1"), await office("w2")
    there.answer = lambda ask: Rejected(4, Taken("bob", moment("2027-01-15T10:00:00+09:00")))
    here.send("w2", Reserve("ada"), key=b"k" * 16, attempt=1)
    assert await here.outcome() == Rejected(4, Taken("bob", moment("2027-01-15T10:00:00+09:00")))
    ((context, shard, delivered),) = there.delivered
    assert (context, shard, delivered.command, delivered.attempt) == ("booking", 3, Reserve("ada"), 1)
    assert delivered.relayed
    assert here.courier.pending == there.courier.taken == 0


async def test_what_one_turn_asks_of_a_worker_travels_in_one_message_and_so_do_the_answers(
    office: Open,
) -> None:
    here, there, other = await office("w1"), await office("w2"), await office("w3")
    asks = await overhear(here, "butai.venue.worker.w2")
    answers = await overhear(here, "butai.venue.worker.w1.answers.>")
    for number in range(50):
        here.send("w2", Reserve(f"guest {number}"))
        here.send("w3", Cancel())
    await until(lambda: len(here.outcomes) == 100)
    assert len(asks) == 1
    assert len(answers) == 2
    guests = [a.command.guest for _, _, a in there.delivered if isinstance(a.command, Reserve)]
    assert guests == [f"guest {number}" for number in range(50)]
    assert len(other.delivered) == 50


async def test_asks_of_several_turns_may_be_gathered(connecting: Connect) -> None:
    here, there = Office(await connecting("w1"), "w1"), Office(await connecting("w2"), "w2")
    here.courier = Courier(
        here.connection, EnvelopeCodec(manifests()), "venue", "w1", here.deliver, here.clock, gather=0.05
    )
    await here.courier.open()
    await there.courier.open()
    asks = await overhear(here, "butai.venue.worker.w2")
    for _ in range(10):
        here.send("w2", Cancel())
        await asyncio.sleep(0)
    await until(lambda: len(here.outcomes) == 10)
    # The first did not wait; what came while it was fresh went together.
    assert len(asks) == 2
    await here.courier.close()
    await there.courier.close()


async def test_messages_are_bounded_and_nothing_is_lost(
    office: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MESSAGE", 2000)
    here, there = await office("w1"), await office("w2")
    asks = await overhear(here, "butai.venue.worker.w2")
    for number in range(100):
        here.send("w2", Reserve(f"guest {number}"))
    await until(lambda: len(here.outcomes) == 100)
    assert len(asks) > 5
    assert max(len(message.data) for message in asks) <= 2000
    assert [a.command.guest for _, _, a in there.delivered if isinstance(a.command, Reserve)] == [
        f"guest {number}" for number in range(100)
    ]


async def test_an_answer_may_take_its_time(office: Open) -> None:
    here, there = await office("w1"), await office("w2")
    there.answer = lambda ask: None
    here.send("w2")
    await until(lambda: there.delivered)
    assert there.courier.taken == here.courier.pending == 1
    later = there.delivered[0][2]
    later.reply(Shown(2, b"{}"))
    later.reply(Shown(3, b"{}"))
    assert await here.outcome() == Shown(2, b"{}")
    assert here.outcomes == []
    assert there.courier.taken == 0


async def test_nobody_there_is_told_at_once_and_for_certain(office: Open) -> None:
    here = await office("w1")
    for _ in range(3):
        here.send("nobody", Cancel())
    await until(lambda: len(here.outcomes) == 3)
    assert here.outcomes == [Undelivered.NOT_DELIVERED] * 3
    assert here.courier.pending == 0


async def test_a_worker_that_dies_leaves_its_asks_without_an_answer(office: Open) -> None:
    here, there = await office("w1"), await office("w2")
    there.answer = lambda ask: None
    here.send("w2", Cancel())
    await until(lambda: there.delivered)
    here.send("w2", Cancel())
    here.courier.worker_gone("w2")
    # The second had not left when the news came: that one is certain.
    assert here.outcomes == [Undelivered.NOT_DELIVERED, Undelivered.NO_ANSWER]
    there.delivered[0][2].reply(Accepted(1, b"{}"))
    await here.connection.settle()
    assert len(here.outcomes) == 2


async def test_a_passed_deadline_is_told_once(office: Open) -> None:
    here, there = await office("w1"), await office("w2")
    there.answer = lambda ask: None
    here.send("w2", Cancel(), seconds=0.05)
    here.send("w2", Cancel(), seconds=60.0)
    assert await here.outcome() is Undelivered.NO_ANSWER
    assert here.courier.pending == 1
    here.send("w2", Cancel(), seconds=-1.0)
    refused = await here.outcome()
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.EXPIRED


async def test_when_the_link_goes_down_nobody_waits_for_what_may_be_lost(
    office: Open, server: EmbeddedServer
) -> None:
    here, there = await office("w1"), await office("w2")
    there.answer = lambda ask: None
    here.send("w2", Cancel())
    await until(lambda: there.delivered)
    assert server.pid is not None
    await server.stop()
    assert await here.outcome() is Undelivered.NO_ANSWER
    here.send("w2", Cancel())
    assert await here.outcome() is Undelivered.NOT_DELIVERED


async def test_closing_answers_everyone(office: Open) -> None:
    here, there = await office("w1"), await office("w2")
    there.answer = lambda ask: None
    here.send("w2", Cancel())
    await here.courier.close()
    assert here.outcomes == [Undelivered.NO_ANSWER]
    here.send("w2", Cancel())
    await until(lambda: len(here.outcomes) == 2)
    assert here.outcomes[1] is Undelivered.NOT_DELIVERED


async def test_both_sides_refuse_what_is_too_much(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = await office("w1"), await office("w2")
    there.answer = lambda ask: None
    monkeypatch.setattr(module, "TAKEN", 1)
    monkeypatch.setattr(module, "PENDING", 3)
    for _ in range(4):
        here.send("w2", Cancel())
    await until(lambda: len(here.outcomes) == 3)
    assert all(isinstance(o, Refused) and o.reason is Reason.OVERLOADED for o in here.outcomes)
    assert (there.courier.taken, here.courier.pending) == (1, 1)


async def test_what_is_larger_than_the_bus_carries_is_refused_on_both_ways(office: Open) -> None:
    here, there = await office("w1"), await office("w2")
    here.send("w2", Reserve("a" * 9_000_000))
    here.send("w2", Cancel())
    await until(lambda: len(here.outcomes) == 2)
    assert {type(outcome) for outcome in here.outcomes} == {Refused, Accepted}
    here.outcomes.clear()
    there.answer = lambda ask: Shown(1, b"x" * (9_000_000 if ask.id == "large" else 1))
    here.send("w2", id="large")
    here.send("w2", id="small")
    await until(lambda: len(here.outcomes) == 2)
    assert Shown(1, b"x") in here.outcomes
    (refused,) = (outcome for outcome in here.outcomes if isinstance(outcome, Refused))
    assert "more than the bus carries" in refused.detail


async def test_a_command_of_another_release_is_refused_and_the_others_are_served(office: Open) -> None:
    here, there = await office("w1"), await office("w2")
    known = here.courier._codec.to_wire(
        1, "booking", 3, ask(Cancel(), deadline=here.clock() + 5), here.clock()
    )
    batch = AskBatch(1, "w1", [msgspec.structs.replace(known, command="Transfer"), known])
    answers = await overhear(here, "butai.venue.worker.w1.answers.0")
    here.connection.publish("butai.venue.worker.w2", encode(batch))
    await until(lambda: answers)
    assert len(there.delivered) == 1


async def test_an_unreadable_message_is_refused_counted_and_logged_once(
    office: Open, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = await office("w1"), await office("w2")
    with caplog.at_level(logging.WARNING):
        for bytes_ in (b"\x93\x01\xa2w1\xdd\xff\xff\xff\xff", b"\x91" * 1_000_000, b"", b"random") * 3:
            here.connection.publish("butai.venue.worker.w2", bytes_)
        await until(lambda: there.courier.unreadable["?"] == 12)
    assert len([r for r in caplog.records if "cannot be read" in r.getMessage()]) == 4
    here.send("w2", Cancel())
    assert isinstance(await here.outcome(), Accepted)


async def test_the_sender_of_unreadable_asks_is_told_that_nothing_was_done(
    office: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = await office("w1"), await office("w2")
    monkeypatch.setattr(module, "VERSION", 2)
    here.send("w2", Cancel())
    assert await here.outcome() is Undelivered.NOT_DELIVERED
    assert there.delivered == []


async def test_only_a_workers_inbox_is_told_about_unreadable_bytes(office: Open) -> None:
    here, there = await office("w1"), await office("w2")
    heard = await overhear(here, "elsewhere")
    here.connection.publish("butai.venue.worker.w2", b"random", "elsewhere")
    await until(lambda: there.courier.unreadable["?"] == 1)
    here.send("w2", Cancel())
    assert isinstance(await here.outcome(), Accepted)
    assert heard == []


async def test_an_answer_by_another_than_who_was_asked_counts_for_nothing(office: Open) -> None:
    here, there = await office("w1"), await office("w2")
    there.answer = lambda ask: None
    sent = await overhear(there, "butai.venue.worker.w2")
    here.send("w2", Cancel())
    await until(lambda: sent and there.delivered)
    (wire,) = decode_asks(sent[0].data).asks
    assert isinstance(wire, WireAsk)
    forged = there.courier._codec.answer_to_wire(wire.number, Accepted(9, b"{}"))
    there.connection.publish("butai.venue.worker.w1.answers.0", encode(AnswerBatch(1, "w3", [forged])))
    there.delivered[0][2].reply(Accepted(1, b"{}"))
    assert await here.outcome() == Accepted(1, b"{}")


async def test_a_fault_in_one_ask_does_not_keep_others_from_their_answers(office: Open) -> None:
    here, there = await office("w1"), await office("w2")

    def fail(ask: Ask) -> Answer:
        if ask.id == "broken":
            raise RuntimeError("a bug")
        return Accepted(1, b"{}")

    there.answer = fail
    here.send("w2", Cancel(), id="broken")
    here.send("w2", Cancel())
    first, second = await here.outcome(), await here.outcome()
    assert isinstance(first, Refused)
    assert first.reason is Reason.FAILED
    assert second == Accepted(1, b"{}")
    assert there.courier.taken == 0
