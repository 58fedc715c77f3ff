"""Turns and quanta: the loop's other work and other actors get their share; wakeups come in due order."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thespian.actors import Actor, WakeupMessage

from actors.clock import VirtualClock
from actors.stage import Address, Stage, TooManyWakeups
from actors.stage.dispatch import QUANTUM

order: list[Any] = []


@pytest.fixture(autouse=True)
def _empty_order() -> None:
    order.clear()


class Named(Actor):
    def __init__(self) -> None:
        self.name = ""

    def receiveMessage(self, message: Any, sender: Address) -> None:
        order.append((self.name, message))


class Sleeper(Actor):
    """Asks for the wakeups it is told of, and records (payload, when)."""

    def receiveMessage(self, message: Any, sender: Address) -> None:
        if isinstance(message, WakeupMessage):
            order.append((message.payload, self.clock.now()))
        elif isinstance(message, tuple):
            self.wakeupAfter(*message)


class Endless(Actor):
    """Sends to itself for ever."""

    def receiveMessage(self, message: Any, sender: Address) -> None:
        self.turns = message
        self.send(self.myAddress, message + 1)


def named(stage: Stage, name: str) -> Address:
    address = stage.spawn(Named)
    stage.instance(address).name = name
    return address


def sleeper(stage: Stage) -> Address:
    address = stage.spawn(Sleeper)
    stage.instance(address).clock = stage.clock
    return address


def test_a_busy_actor_leaves_room_for_others_after_its_quantum(
    loop: asyncio.AbstractEventLoop, clock: VirtualClock
) -> None:
    stage = Stage(loop, clock=clock)
    busy, other = named(stage, "busy"), named(stage, "other")
    for number in range(100):
        stage.offer(busy, number)
    stage.offer(other, 0)
    stage.settle()
    assert order.index(("other", 0)) == QUANTUM
    assert [message for name, message in order if name == "busy"] == list(range(100))
    stage.shutdown()


async def test_actors_that_never_rest_do_not_starve_the_loop() -> None:
    stage = Stage(turn_seconds=0.001)
    address = stage.spawn(Endless)
    stage.offer(address, 0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert stage.instance(address).turns > 0
    assert stage.counters.pending == 1
    stage.shutdown()


async def test_a_slow_handler_ends_the_turn_it_overruns() -> None:
    stage = Stage(turn_seconds=0.0)
    addresses = [named(stage, str(number)) for number in range(3)]
    for address in addresses:
        stage.offer(address, 0)
    handled = []
    for _ in range(4):
        await asyncio.sleep(0)
        handled.append(len(order))
    assert handled == [1, 2, 3, 3]
    stage.shutdown()


async def test_a_stage_with_nothing_to_do_asks_nothing_of_the_loop() -> None:
    stage = Stage()
    address = named(stage, "a")
    stage.offer(address, 0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert stage.counters.messages == 1
    assert stage._turn_handle is None
    stage.offer(address, 1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert order == [("a", 0), ("a", 1)]
    stage.shutdown()


def test_an_actor_cannot_wait_for_the_stage_to_settle(stage: Stage) -> None:
    class Impatient(Actor):
        def receiveMessage(self, message: Any, sender: Address) -> None:
            with pytest.raises(RuntimeError):
                stage.settle()
            order.append("refused")

    stage.offer(stage.spawn(Impatient), 1)
    stage.settle()
    assert order[0] == "refused"


def test_actors_that_talk_without_end_do_not_settle(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.stage.dispatch.SETTLED_MESSAGES", 1000)
    stage.offer(stage.spawn(Endless), 0)
    with pytest.raises(RuntimeError, match="still busy"):
        stage.settle()


def test_wakeups_come_in_due_order_at_their_time(stage: Stage, clock: VirtualClock) -> None:
    address = sleeper(stage)
    for period, payload in ((3.0, "c"), (timedelta(seconds=1), "a"), (2, "b"), (1.0, "a2"), (99, "never")):
        stage.offer(address, (period, payload))
    clock.advance(10.0)
    assert order == [("a", 1.0), ("a2", 1.0), ("b", 2.0), ("c", 3.0)]
    assert stage.counters.wakeups == 1


def test_a_wakeup_says_how_long_it_was_asked_for(stage: Stage, clock: VirtualClock) -> None:
    class Keeper(Actor):
        def receiveMessage(self, message: Any, sender: Address) -> None:
            order.append(message)

    address = stage.spawn(Keeper)
    stage.instance(address).wakeupAfter(1.5, "payload")
    clock.advance(2.0)
    assert order == [WakeupMessage(1.5, "payload")]


@pytest.mark.parametrize("period", [float("nan"), float("inf")])
def test_a_wakeup_that_would_never_be_due_is_refused(stage: Stage, period: float) -> None:
    with pytest.raises(ValueError):
        stage.instance(sleeper(stage)).wakeupAfter(period)


def test_wakeups_end_with_their_actor(stage: Stage, clock: VirtualClock) -> None:
    address = sleeper(stage)
    stage.offer(address, (1.0, "never"))
    stage.settle()
    stage.stop(address)
    clock.advance(5.0)
    assert order == []
    assert stage.counters.wakeups == 0
    assert stage.counters.dead_letters == 0


def test_pending_wakeups_are_bounded(loop: asyncio.AbstractEventLoop, clock: VirtualClock) -> None:
    stage = Stage(loop, clock=clock, wakeups=2)
    actor = stage.instance(sleeper(stage))
    actor.wakeupAfter(1.0)
    actor.wakeupAfter(1.0)
    with pytest.raises(TooManyWakeups):
        actor.wakeupAfter(1.0)
    stage.shutdown()


def test_wakeups_of_actors_that_are_gone_do_not_add_up(stage: Stage) -> None:
    keeper = stage.instance(sleeper(stage))
    keeper.wakeupAfter(10.0)
    for _ in range(3000):
        address = sleeper(stage)
        stage.instance(address).wakeupAfter(1e6)
        stage.stop(address)
        stage.settle()
    assert stage.counters.wakeups == 1
    assert len(stage._wakeups._heap) < 1100


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 10)), max_size=40), st.sets(st.integers(0, 3)))
def test_whatever_is_asked_for_comes_in_due_order_to_those_that_live(
    asked: list[tuple[int, float]], ended: set[int]
) -> None:
    order.clear()
    loop, clock = asyncio.new_event_loop(), VirtualClock()
    stage = Stage(loop, clock=clock)
    try:
        sleepers = [sleeper(stage) for _ in range(4)]
        for number, (which, period) in enumerate(asked):
            stage.instance(sleepers[which]).wakeupAfter(period, number)
        for which in ended:
            stage.stop(sleepers[which])
        clock.advance(10.0)
        times = [when for _, when in order]
        assert times == sorted(times)
        for which in range(4):
            mine = [(period, number) for number, (whose, period) in enumerate(asked) if whose == which]
            expected = [] if which in ended else [(number, period) for period, number in sorted(mine)]
            assert [(number, when) for number, when in order if asked[number][0] == which] == expected
    finally:
        stage.shutdown()
        loop.close()
