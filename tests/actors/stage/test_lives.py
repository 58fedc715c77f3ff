"""Children, exits, names, creation, and what an actor that is gone leaves behind: nothing."""

import asyncio
import gc
import tracemalloc
import weakref
from functools import partial
from typing import Any

import pytest
from thespian.actors import (
    Actor,
    ActorExitRequest,
    ActorSystem,
    ActorTypeDispatcher,
    ChildActorExited,
    InvalidActorAddress,
    InvalidActorSpecification,
    NoCompatibleSystemForActor,
    Thespian_ActorStatus,
    Thespian_StatusReq,
    requireCapability,
)

from actors.clock import VirtualClock
from actors.stage import Address, ChildExited, ExitReason, Stage, StageStopped

log: list[str] = []


class Node(Actor):
    """Grows a child from any factory, stops, and says in ``log`` when it is told to exit."""

    def __init__(self, name: str = "node") -> None:
        self.name = name
        self.seen: list[Any] = []

    def receiveMessage(self, message: Any, sender: Address) -> None:
        self.seen.append(message)
        if callable(message):
            self.child = self.createActor(message)
        elif isinstance(message, ActorExitRequest):
            log.append(self.name)


class Broken(Actor):
    def __init__(self) -> None:
        raise ValueError("no luck today")


class Plain(Actor):
    def receiveMessage(self, message: Any, sender: Address) -> None: ...


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


def test_any_callable_without_arguments_makes_an_actor(stage: Stage) -> None:
    address = stage.spawn(partial(Node, "maple"))
    assert stage.instance(address).name == "maple"
    parent = stage.spawn(Node)
    stage.offer(parent, partial(Node, "oak"))
    stage.settle()
    assert stage.instance(stage.instance(parent).child).name == "oak"


def test_what_is_not_an_actor_is_refused(stage: Stage) -> None:
    for wrong in (dict, lambda: 3):
        with pytest.raises(InvalidActorSpecification):
            stage.spawn(wrong)
    assert stage.counters.actors == 0


def test_a_constructors_error_is_raised_to_who_spawns(stage: Stage) -> None:
    with pytest.raises(ValueError, match="no luck today"):
        stage.spawn(Broken)


def test_a_failed_child_is_told_to_its_parent_with_the_reason(stage: Stage) -> None:
    parent = stage.spawn(Node)
    stage.offer(parent, Broken)
    stage.settle()
    actor = stage.instance(parent)
    exited = actor.seen[-1]
    assert isinstance(exited, ChildExited)
    assert exited.childAddress == actor.child
    assert exited.reason is ExitReason.CREATION_FAILED
    assert "no luck today" in exited.detail


def test_an_exit_is_told_to_the_parent_with_the_reason(stage: Stage) -> None:
    parent = stage.spawn(Node)
    child = stage.spawn(Node, parent)
    stage.stop(child)
    stage.settle()
    (exited,) = stage.instance(parent).seen
    assert exited == ChildActorExited(child)
    assert exited.reason is ExitReason.REQUESTED
    assert stage.counters.actors == 1


def test_a_type_dispatcher_knows_the_stages_own_messages_by_thespians_names(stage: Stage) -> None:
    class Parent(ActorTypeDispatcher):
        def receiveMsg_ChildActorExited(self, message: ChildExited, sender: Address) -> None:
            log.append(message.reason)

    parent = stage.spawn(Parent)
    stage.stop(stage.spawn(Plain, parent))
    stage.settle()
    assert log == ["requested"]


def test_a_parent_is_gone_after_its_children_and_handles_nothing_meanwhile(stage: Stage) -> None:
    grandparent = stage.spawn(partial(Node, "grandparent"))
    parent = stage.spawn(partial(Node, "parent"), grandparent)
    children = [stage.spawn(partial(Node, f"child {number}"), parent) for number in range(3)]
    seen = stage.instance(grandparent).seen
    stage.stop(parent)
    stage.settle()
    assert log[0] == "parent"
    assert sorted(log[1:]) == ["child 0", "child 1", "child 2"]
    assert seen == [ChildActorExited(parent)]
    assert stage.counters.actors == 1
    assert all(stage.instance(address) is None for address in [parent, *children])


def test_an_exit_that_is_not_recursive_leaves_the_children_alive(stage: Stage) -> None:
    parent = stage.spawn(Node)
    child = stage.spawn(Node, parent)
    stage.offer(parent, ActorExitRequest(recursive=False))
    stage.settle()
    assert stage.instance(parent) is None
    assert stage.instance(child) is not None
    stage.stop(child)
    stage.settle()
    assert stage.counters.actors == 0


def test_a_deep_family_ends_without_recursion(stage: Stage) -> None:
    top = address = stage.spawn(Plain)
    for _ in range(5000):
        address = stage.spawn(Plain, address)
    stage.stop(top)
    stage.settle()
    assert stage.counters.actors == 0


def test_an_exited_actor_cannot_have_children(stage: Stage) -> None:
    parent = stage.spawn(Node)
    stage.stop(parent)
    stage.settle()
    with pytest.raises(InvalidActorAddress):
        stage.spawn(Node, parent)


def test_a_global_name_stands_for_one_actor_while_it_lives(stage: Stage) -> None:
    system = ActorSystem(systemBase=stage, transientUnique=True)
    first = system.createActor(Node, globalName="the one")
    assert system.createActor(Node, globalName="the one") is first
    assert stage.instance(first).globalName == "the one"
    stage.stop(first)
    stage.settle()
    second = system.createActor(Node, globalName="the one")
    assert second != first
    assert stage.instance(second) is not None


def test_a_required_capability_is_asked_for(stage: Stage) -> None:
    @requireCapability("oven")
    class Cook(Actor):
        def receiveMessage(self, message: Any, sender: Address) -> None: ...

    with pytest.raises(NoCompatibleSystemForActor):
        stage.newPrimaryActor(Cook)
    stage.updateCapability("oven", True)
    assert stage.instance(stage.newPrimaryActor(Cook)) is not None


def test_a_constructor_gets_the_capabilities_it_names(stage: Stage) -> None:
    class Curious(Plain):
        def __init__(self, capabilities: dict[str, Any], requirements: Any = None) -> None:
            self.given = capabilities, requirements

    address = stage.newPrimaryActor(Curious, {"a": 1})
    assert stage.instance(address).given == (stage.capabilities, {"a": 1})


def test_status_shows_children_wakeups_and_what_waits(stage: Stage) -> None:
    asker, parent = stage.spawn(Node), stage.spawn(Node)
    child = stage.spawn(Node, parent)
    stage.instance(parent).wakeupAfter(5)
    stage.offer(parent, Thespian_StatusReq(), asker)
    stage.offer(parent, "behind", asker)
    stage.settle()
    (status,) = stage.instance(asker).seen
    assert isinstance(status, Thespian_ActorStatus)
    assert status.actorClass == "Node"
    assert status.childActors == [child]
    assert len(status.pendingWakeups) == 1
    assert status.receivedMessages == [(asker, parent, "behind")]


def test_shutdown_ends_children_before_parents_and_lets_go_of_everything(stage: Stage) -> None:
    parent = stage.spawn(partial(Node, "parent"))
    stage.spawn(partial(Node, "child"), parent)
    stage.instance(parent).wakeupAfter(1)
    stage.offer(parent, "unheard")
    stage.shutdown()
    stage.shutdown()
    assert log == ["child", "parent"]
    assert stage.counters[:1] + stage.counters[3:6] == (0, 0, 0, 1)
    assert not stage.offer(parent, "late") or stage.counters.pending == 0
    assert stage.counters.dead_letters == 2
    with pytest.raises(StageStopped):
        stage.spawn(Node)


def test_an_actor_that_is_gone_is_freed_without_the_garbage_collector(stage: Stage) -> None:
    gc.collect()
    gc.disable()
    try:
        parent = stage.spawn(Node)
        child = stage.spawn(Node, parent)
        stage.instance(child).wakeupAfter(1000)
        traces = [weakref.ref(stage.instance(address)) for address in (parent, child)]
        stage.stop(parent)
        stage.settle()
        assert [trace() for trace in traces] == [None, None]
    finally:
        gc.enable()


def test_two_hundred_thousand_actors_come_and_go_and_leave_nothing(
    loop: asyncio.AbstractEventLoop, clock: VirtualClock
) -> None:
    stage = Stage(loop, clock=clock)
    parent = stage.spawn(Plain)
    batch = 2000

    def come_and_go() -> None:
        addresses = [stage.spawn(Plain, parent) for _ in range(batch)]
        for address in addresses:
            stage.instance(address).wakeupAfter(3600)
            stage.offer(address, "work")
            stage.stop(address)
        stage.settle()

    gc.disable()
    try:
        come_and_go()
        tracemalloc.start(1)
        come_and_go()
        after_one = tracemalloc.get_traced_memory()[0]
        for _ in range(8):
            come_and_go()
        after_nine = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        for _ in range(90):
            come_and_go()
    finally:
        tracemalloc.stop()
        gc.enable()
    # What a batch leaves is at most the skipped wakeups that were not worth a rebuild of the heap.
    assert after_nine - after_one < 300 * batch
    assert stage.counters.created == 100 * batch + 1
    assert stage.counters.actors == 1
    assert stage.counters.wakeups == 0
    stage.shutdown()
