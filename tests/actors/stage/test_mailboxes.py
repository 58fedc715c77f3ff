"""What a mailbox takes, what it refuses, and who hears of it."""

import asyncio
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ChildActorExited,
    DeadEnvelope,
    PoisonMessage,
    WakeupMessage,
)

from actors.clock import VirtualClock
from actors.stage import Address, MailboxFull, Stage


class Recorder(Actor):
    """Keeps what it gets."""

    mailbox_bound = 3

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def receiveMessage(self, message: Any, sender: Address) -> None:
        self.seen.append(message)


class Sender(Recorder):
    """Sends what it is told to: (target, messages)."""

    def receiveMessage(self, message: Any, sender: Address) -> None:
        if isinstance(message, tuple):
            target, messages = message
            for each in messages:
                self.send(target, each)
        else:
            self.seen.append(message)


class Failing(Actor):
    def __init__(self) -> None:
        self.attempts = 0

    def receiveMessage(self, message: Any, sender: Address) -> None:
        if not isinstance(message, ActorExitRequest):
            self.attempts += 1
            raise ValueError(message)


class WithChild(Recorder):
    """Makes a child when told to, and stops it."""

    def receiveMessage(self, message: Any, sender: Address) -> None:
        if message == "make":
            self.child = self.createActor(Recorder)
        else:
            super().receiveMessage(message, sender)


def test_messages_are_handled_in_the_order_they_came(stage: Stage) -> None:
    address = stage.spawn(Recorder)
    assert all(stage.offer(address, number) for number in range(3))
    stage.settle()
    assert stage.instance(address).seen == [0, 1, 2]


def test_a_full_mailbox_refuses_at_once(stage: Stage) -> None:
    address = stage.spawn(Recorder)
    assert [stage.offer(address, number) for number in range(5)] == [True, True, True, False, False]
    stage.settle()
    assert stage.instance(address).seen == [0, 1, 2]
    assert stage.offer(address, 5)
    assert stage.counters.refused == 2
    assert stage.counters.dead_letters == 0


def test_a_bound_of_one_admits_one(stage: Stage) -> None:
    class One(Recorder):
        mailbox_bound = 1

    address = stage.spawn(One)
    assert [stage.offer(address, number) for number in range(2)] == [True, False]


def test_an_actor_without_a_bound_has_the_stages(stage: Stage) -> None:
    class Unbounded(Actor):
        def receiveMessage(self, message: Any, sender: Address) -> None: ...

    address = stage.spawn(Unbounded)
    assert sum(stage.offer(address, number) for number in range(100)) == 10


def test_the_sender_of_a_refused_message_gets_it_back(stage: Stage) -> None:
    target, sender = stage.spawn(Recorder), stage.spawn(Sender)
    stage.offer(sender, (target, "abcd"))
    stage.settle()
    assert stage.instance(target).seen == ["a", "b", "c"]
    (notice,) = stage.instance(sender).seen
    assert isinstance(notice, MailboxFull)
    assert (notice.target, notice.message) == (target, "d")


def test_refusals_beyond_the_senders_own_room_are_dead_letters(stage: Stage) -> None:
    target, sender = stage.spawn(Recorder), stage.spawn(Sender)
    stage.offer(sender, (target, range(100)))
    stage.settle()
    assert len(stage.instance(sender).seen) == 2 * Sender.mailbox_bound
    assert stage.counters.refused == 97
    assert stage.counters.dead_letters == 97 - 2 * Sender.mailbox_bound


def test_a_full_mailbox_still_takes_one_exit_request(stage: Stage) -> None:
    address = stage.spawn(Recorder)
    actor = stage.instance(address)
    for number in range(3):
        stage.offer(address, number)
    for _ in range(1000):
        stage.stop(address)
    assert stage.counters.pending == 4
    assert stage.counters.dead_letters == 999
    stage.settle()
    assert actor.seen == [0, 1, 2, ActorExitRequest()]
    assert stage.instance(address) is None


def test_a_full_mailbox_still_takes_a_wakeup_and_a_childs_exit(stage: Stage, clock: VirtualClock) -> None:
    parent = stage.spawn(WithChild)
    actor = stage.instance(parent)
    stage.offer(parent, "make")
    stage.settle()
    actor.wakeupAfter(1.0, "payload")
    stage.stop(actor.child)
    for number in range(3):
        stage.offer(parent, number)
    stage.settle()
    for number in range(3, 6):
        stage.offer(parent, number)
    clock.advance(1.0)
    assert [each for each in actor.seen if isinstance(each, int)] == [0, 1, 2, 3, 4, 5]
    assert sum(isinstance(each, ChildActorExited) for each in actor.seen) == 1
    assert sum(isinstance(each, WakeupMessage) for each in actor.seen) == 1


def test_system_messages_that_actors_send_cannot_fill_the_memory(stage: Stage) -> None:
    target = stage.spawn(Recorder)
    sender = stage.spawn(Sender)
    stage.offer(sender, (target, [WakeupMessage(None, number) for number in range(1000)]))
    stage.settle()
    assert len(stage.instance(target).seen) == 2 * Recorder.mailbox_bound


def test_a_message_that_fails_three_times_goes_back_as_poison(stage: Stage) -> None:
    target, sender = stage.spawn(Failing), stage.spawn(Sender)
    stage.offer(sender, (target, ["bad"]))
    stage.settle()
    assert stage.instance(target).attempts == 3
    (poison,) = stage.instance(sender).seen
    assert isinstance(poison, PoisonMessage)
    assert poison.poisonMessage == "bad"
    assert "ValueError: bad" in poison.details
    assert stage.counters.failures == 3


def test_poison_that_nobody_sent_is_a_dead_letter(stage: Stage) -> None:
    stage.offer(stage.spawn(Failing), "bad")
    stage.settle()
    assert stage.counters.dead_letters == 1


def test_a_failing_message_is_retried_behind_those_that_wait(stage: Stage) -> None:
    class Picky(Recorder):
        def receiveMessage(self, message: Any, sender: Address) -> None:
            super().receiveMessage(message, sender)
            if message == "bad":
                raise ValueError

    address = stage.spawn(Picky)
    for message in ("bad", "good", "fine"):
        stage.offer(address, message)
    stage.settle()
    assert stage.instance(address).seen == ["bad", "good", "fine", "bad", "bad"]


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, MemoryError, RecursionError])
def test_no_failure_of_a_handler_takes_the_stage_down(stage: Stage, error: type[BaseException]) -> None:
    class Fatal(Actor):
        def receiveMessage(self, message: Any, sender: Address) -> None:
            raise error

    fatal, other = stage.spawn(Fatal), stage.spawn(Recorder)
    stage.offer(fatal, 1)
    stage.offer(other, 2)
    stage.settle()
    assert stage.instance(other).seen == [2]


def test_control_c_in_a_handler_goes_through_and_leaves_the_rest_ready(stage: Stage) -> None:
    class Interrupted(Actor):
        def receiveMessage(self, message: Any, sender: Address) -> None:
            if message == 1:
                raise KeyboardInterrupt

    interrupted, other = stage.spawn(Interrupted), stage.spawn(Recorder)
    stage.offer(interrupted, 1)
    stage.offer(other, 2)
    with pytest.raises(KeyboardInterrupt):
        stage.settle()
    stage.settle()
    assert stage.instance(other).seen == [2]


def test_what_is_sent_to_an_exited_actor_is_a_dead_letter_that_its_handler_sees(stage: Stage) -> None:
    handler, target = stage.spawn(Recorder), stage.spawn(Recorder)
    stage.instance(handler).handleDeadLetters()
    stage.stop(target)
    stage.offer(target, "behind")
    stage.settle()
    stage.offer(target, "late")
    stage.settle()
    seen = stage.instance(handler).seen
    assert [each.deadMessage for each in seen] == ["behind", "late"]
    assert all(isinstance(each, DeadEnvelope) and each.deadAddress == target for each in seen)
    assert stage.counters.dead_letters == 2


def test_an_address_nobody_has_makes_dead_letters(stage: Stage) -> None:
    sender = stage.spawn(Sender)
    stage.offer(sender, (ActorAddress("nowhere"), ["a"]))
    stage.settle()
    assert stage.counters.dead_letters == 1


def test_a_copied_address_still_reaches_its_actor(stage: Stage) -> None:
    target, sender = stage.spawn(Recorder), stage.spawn(Sender)
    copied = ActorAddress(target.addressDetails)
    assert copied == target
    assert target == copied
    stage.offer(sender, (copied, ["a"]))
    stage.settle()
    assert stage.instance(target).seen == ["a"]


@settings(max_examples=60, deadline=None)
@given(
    bound=st.integers(1, 6),
    steps=st.lists(st.sampled_from(["offer", "offer", "offer", "settle", "stop"]), max_size=60),
)
def test_every_message_is_handled_once_in_order_or_refused_or_a_dead_letter(
    bound: int, steps: list[str]
) -> None:
    loop = asyncio.new_event_loop()
    stage = Stage(loop, clock=VirtualClock())

    def make() -> Recorder:
        recorder = Recorder()
        recorder.mailbox_bound = bound
        return recorder

    try:
        address = stage.spawn(partial(make))
        actor = stage.instance(address)
        taken, waiting, exiting = [], 0, False
        for number, step in enumerate(steps):
            if step == "offer":
                accepted = stage.offer(address, number)
                assert accepted == (waiting < bound)
                waiting += accepted
                if accepted and not exiting:
                    taken.append(number)
            elif step == "settle":
                stage.settle()
                waiting = 0
            else:
                if not exiting:
                    waiting += 1
                    exiting = True
                    stage.stop(address)
        stage.settle()
        assert [each for each in actor.seen if isinstance(each, int)] == taken
        assert stage.counters.pending == 0
        assert stage.counters.refused + len(taken) + stage.counters.dead_letters == steps.count("offer")
    finally:
        stage.shutdown()
        loop.close()
