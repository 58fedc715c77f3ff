"""Other threads, coroutines, and the stage by name."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvloop
from thespian.actors import (
    Actor,
    ActorExitRequest,
    ActorSystem,
    PoisonMessage,
    Thespian_ActorStatus,
    Thespian_StatusReq,
)

from actors.clock import VirtualClock
from actors.stage import ActorSystemBase, Address, MailboxFull, MailboxOverflow, Stage, StageStopped, register

DEADLINE = 20.0


class Echo(Actor):
    def receiveMessage(self, message: Any, sender: Address) -> None:
        if not isinstance(message, ActorExitRequest):
            self.send(sender, message)


class Fragile(Actor):
    def receiveMessage(self, message: Any, sender: Address) -> None:
        raise ValueError(message)


class Silent(Actor):
    mailbox_bound = 1

    def receiveMessage(self, message: Any, sender: Address) -> None: ...


class Forwarder(Actor):
    """Sends (target, message) on, and keeps what comes back."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def receiveMessage(self, message: Any, sender: Address) -> None:
        if isinstance(message, tuple):
            self.asker = sender
            self.send(*message)
        elif message == "seen?":
            self.send(sender, list(self.seen))
        else:
            self.seen.append(message)


class Ender(Actor):
    """Shuts the whole system down."""

    def receiveMessage(self, message: Any, sender: Address) -> None:
        if message == "end":
            self.actorSystemShutdown()


class Gate(Actor):
    """Holds its thread until the gate is opened."""

    mailbox_bound = 1

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def receiveMessage(self, message: Any, sender: Address) -> None:
        self.entered.set()
        assert self.opened.wait(DEADLINE)


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    register("butaiBase")
    system = ActorSystem("butaiBase", {"Cows Allowed": True}, logDefs=False, transientUnique=True)
    yield system
    system.shutdown()


async def in_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.wait_for(asyncio.to_thread(call, *arguments), DEADLINE)


async def test_a_coroutine_awaits_an_answer() -> None:
    stage = Stage()
    assert await stage.ask(stage.spawn(Echo), "hello", DEADLINE) == "hello"
    assert not stage._asks
    stage.shutdown()


async def test_an_ask_without_an_answer_ends_at_its_deadline() -> None:
    clock = VirtualClock()
    stage = Stage(clock=clock)
    answer = stage.ask(stage.spawn(Silent), "hello", 5.0)
    clock.advance(4.9)
    assert not answer.done()
    clock.advance(0.2)
    with pytest.raises(TimeoutError):
        await answer
    stage.shutdown()


async def test_an_ask_of_a_full_mailbox_fails_at_once() -> None:
    stage = Stage()
    address = stage.spawn(Silent)
    stage.offer(address, "first")
    with pytest.raises(MailboxOverflow):
        await stage.ask(address, "second", DEADLINE)
    stage.shutdown()


async def test_an_ask_that_poisons_its_target_is_answered_with_the_poison() -> None:
    stage = Stage()
    answer = await stage.ask(stage.spawn(Fragile), "bad", DEADLINE)
    assert isinstance(answer, PoisonMessage)
    stage.shutdown()


async def test_the_end_of_the_stage_ends_what_waits_for_answers() -> None:
    stage = Stage()
    answer = stage.ask(stage.spawn(Silent), "hello", None)
    stage.shutdown()
    with pytest.raises(StageStopped):
        await answer
    with pytest.raises(StageStopped):
        await stage.ask(stage.root, "late", 1.0)


async def test_an_answer_nobody_waits_for_any_more_is_a_dead_letter() -> None:
    stage = Stage()
    stage.ask(stage.spawn(Echo), "hello", DEADLINE).cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert stage.counters.dead_letters == 1
    stage.shutdown()


def test_the_stage_runs_on_uvloop() -> None:
    async def main() -> None:
        stage = Stage()
        assert await stage.ask(stage.spawn(Echo), "hello", DEADLINE) == "hello"
        stage.shutdown()

    uvloop.run(main())


async def test_other_threads_tell_ask_and_listen_while_the_loop_runs() -> None:
    stage = Stage()
    system = ActorSystem(systemBase=stage, transientUnique=True)
    echo = await in_thread(system.createActor, Echo)
    assert await in_thread(system.ask, echo, "hello", DEADLINE) == "hello"
    await in_thread(system.tell, echo, "later")
    assert await in_thread(system.listen, DEADLINE) == "later"
    assert await in_thread(system.listen, 0) is None
    await in_thread(system.shutdown)
    assert stage.stopped


async def test_thespians_ask_on_the_loops_own_thread_is_awaited() -> None:
    stage = Stage()
    system = ActorSystem(systemBase=stage, transientUnique=True)
    assert await system.ask(system.createActor(Echo), "hello", DEADLINE) == "hello"
    with pytest.raises(RuntimeError, match="await"):
        system.listen(1)
    system.shutdown()


async def test_a_tell_from_outside_to_a_full_mailbox_is_an_error() -> None:
    stage = Stage()
    system = ActorSystem(systemBase=stage, transientUnique=True)
    gate = stage.spawn(Silent)
    for _ in range(2):
        stage.offer(gate, "fills it")
    with pytest.raises(MailboxOverflow):
        system.tell(gate, "too much")
    system.shutdown()


def test_by_name_a_stage_has_a_thread_of_its_own(system: ActorSystem) -> None:
    assert isinstance(system._systemBase, ActorSystemBase)
    assert system.ask(system.createActor(Echo), "hello", DEADLINE) == "hello"
    assert system.capabilities["Thespian ActorSystem Name"] == "butai"
    assert system._systemBase.capabilities["Cows Allowed"] is True


def test_the_package_itself_can_stand_under_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import actors.stage

    monkeypatch.setitem(__import__("sys").modules, "thespian.system.otherBase", actors.stage)
    system = ActorSystem("otherBase", logDefs=False, transientUnique=True)
    assert system.ask(system.createActor(Echo), 1, DEADLINE) == 1
    system.shutdown()


def test_errors_of_creation_reach_the_thread_that_asked(system: ActorSystem) -> None:
    with pytest.raises(ImportError):
        system.createActor("no.such.module.Actor")


def test_many_threads_each_get_their_own_answers(system: ActorSystem) -> None:
    echo = system.createActor(Echo)

    def work(thread: int) -> bool:
        with system.private() as mine:
            return all(mine.ask(echo, (thread, number), DEADLINE) == (thread, number) for number in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_a_private_endpoint_that_is_given_up_leaves_nothing(system: ActorSystem) -> None:
    stage = system._systemBase
    before = len(stage._inboxes)
    with system.private() as mine:
        assert mine.ask(mine.createActor(Echo), 1, DEADLINE) == 1
        assert len(stage._inboxes) == before + 1
    assert len(stage._inboxes) == before


def test_answers_nobody_listens_to_are_refused_at_the_bound(system: ActorSystem) -> None:
    stage = system._systemBase
    stage._inbox._bound = 3
    forwarder = system.createActor(Forwarder)
    for number in range(5):
        system.tell(forwarder, (stage._outside, number))
    with system.private() as mine:
        seen = mine.ask(forwarder, "seen?", DEADLINE)
    assert all(isinstance(each, MailboxFull) for each in seen)
    assert [each.message for each in seen] == [3, 4]
    assert [system.listen(DEADLINE) for _ in range(3)] == [0, 1, 2]


def test_a_busy_stage_refuses_what_its_actor_cannot_hold(system: ActorSystem) -> None:
    gate = system.createActor(Gate)
    actor = system._systemBase.instance(gate)
    system.tell(gate, "holds the thread")
    assert actor.entered.wait(DEADLINE)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(system.tell, gate, number) for number in range(4)]
        actor.opened.set()
        errors = [each.exception(DEADLINE) for each in waiting]
    assert all(error is None or isinstance(error, MailboxOverflow) for error in errors)
    assert system._systemBase.counters.refused == sum(error is not None for error in errors)


def test_actors_of_two_stages_reach_each_other(system: ActorSystem) -> None:
    other = ActorSystem("butaiBase", logDefs=False, transientUnique=True)
    try:
        there = other.createActor(Echo)
        here = system.createActor(Forwarder)
        system.tell(here, (there, "over there"))
        for _ in range(1000):
            other.ask(there, "is the way there done?", DEADLINE)
            seen = system.ask(here, "seen?", DEADLINE)
            if seen:
                break
        assert seen == ["over there"]
        assert system.ask(there, "from outside", DEADLINE) == "from outside"
    finally:
        other.shutdown()
    system.tell(here, (there, "nobody"))
    assert system.ask(here, "seen?", DEADLINE) == ["over there"]
    assert other._systemBase is None


def test_status_can_be_asked_for_from_outside(system: ActorSystem) -> None:
    status = system.ask(system.createActor(Echo), Thespian_StatusReq(), DEADLINE)
    assert isinstance(status, Thespian_ActorStatus)


def test_an_actor_may_end_the_whole_system(system: ActorSystem) -> None:
    stage = system._systemBase
    system.tell(system.createActor(Ender), "end")
    stage._runner.join(DEADLINE)
    assert not stage._runner.is_alive()
    assert stage.stopped
    assert system.listen(DEADLINE) is None
    with pytest.raises(StageStopped):
        system.createActor(Echo)


def test_a_shutdown_twice_and_from_any_thread_is_one(system: ActorSystem) -> None:
    stage = system._systemBase
    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(stage.shutdown) for _ in range(4)]:
            assert each.exception(DEADLINE) is None
    assert stage.loop.is_closed()
