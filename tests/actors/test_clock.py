"""The virtual clock and the loop's."""

import asyncio

import pytest

from actors.clock import LoopClock, VirtualClock


def test_time_stands_still_until_it_is_advanced() -> None:
    clock = VirtualClock(5.0)
    assert clock.now() == 5.0
    clock.advance(2.5)
    assert clock.now() == 7.5


def test_timers_fire_in_due_order_at_their_own_time() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, float]] = []
    for name, due in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("never", 11.0), ("a2", 1.0)):
        clock.call_at(due, lambda name=name: seen.append((name, clock.now())))  # type: ignore[misc]
    clock.advance(10.0)
    assert seen == [("a", 1.0), ("a2", 1.0), ("b", 2.0), ("c", 3.0)]
    assert clock.now() == 10.0


def test_a_cancelled_timer_does_not_fire() -> None:
    clock = VirtualClock()
    seen: list[int] = []
    clock.call_at(1.0, lambda: seen.append(1)).cancel()
    clock.advance(2.0)
    assert seen == []


def test_a_timer_armed_by_a_timer_fires_in_the_same_advance() -> None:
    clock = VirtualClock()
    seen: list[float] = []

    def tick() -> None:
        seen.append(clock.now())
        clock.call_at(clock.now() + 1.0, tick)

    clock.call_at(1.0, tick)
    clock.advance(3.5)
    assert seen == [1.0, 2.0, 3.0]


def test_attached_work_settles_before_time_moves_on() -> None:
    clock = VirtualClock()
    work: list[str] = []
    seen: list[str] = []

    def settle() -> None:
        seen.extend(work)
        work.clear()

    clock.attach(settle)
    clock.call_at(1.0, lambda: work.append("first"))
    clock.call_at(2.0, lambda: seen.append("second"))
    clock.advance(2.0)
    assert seen == ["first", "second"]


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError):
        VirtualClock().advance(-1.0)


def test_timers_that_are_due_at_once_for_ever_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.clock.SETTLED_STEPS", 100)
    clock = VirtualClock()

    def again() -> None:
        clock.call_at(clock.now(), again)

    again()
    with pytest.raises(RuntimeError, match="100 timers"):
        clock.advance(1.0)


async def test_the_loops_clock_calls_on_the_loop() -> None:
    clock = LoopClock(asyncio.get_running_loop())
    fired: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    clock.call_at(clock.now(), lambda: fired.set_result(clock.now()))
    assert await asyncio.wait_for(fired, 10.0) <= clock.now()
