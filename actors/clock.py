"""Monotonic time and what is to happen later, on a loop or by hand.

A clock is injected wherever something waits, so that tests move time themselves instead of sleeping.
"""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Protocol

SETTLED_STEPS = 1_000_000
"""Timers one ``advance`` may fire: above it something re-arms itself without time passing."""


class Timer(Protocol):
    """A call that is to happen later."""

    def cancel(self) -> object:
        """Let it not happen; harmless when it has happened."""


class Clock(Protocol):
    """Monotonic seconds."""

    def now(self) -> float:
        """Seconds since a fixed, arbitrary moment."""

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        """Call once ``now()`` has reached ``when``; calls happen in due order, on the loop's thread."""

    def attach(self, settle: Callable[[], object]) -> None:
        """Name work that must be finished before time moves on. Real time does not wait for it."""


class LoopClock:
    """The clock of an asyncio loop."""

    __slots__ = ("_loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        return self._loop.call_at(when, call)

    def attach(self, settle: Callable[[], object]) -> None:
        """Nothing to do: real time does not wait."""


class _VirtualTimer:
    __slots__ = ("call",)

    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        self.call = None


class VirtualClock:
    """A clock that stands still until ``advance``. For tests; not for use from several threads."""

    __slots__ = ("_heap", "_now", "_order", "_settlers")

    def __init__(self, now: float = 0.0) -> None:
        self._now = now
        self._heap: list[tuple[float, int, _VirtualTimer]] = []
        self._order = count()
        self._settlers: list[Callable[[], object]] = []

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        timer = _VirtualTimer(call)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def attach(self, settle: Callable[[], object]) -> None:
        self._settlers.append(settle)

    def advance(self, seconds: float) -> None:
        """Move time on, stopping at each due timer: fire it, let everything attached settle, go on.

        Raises ``ValueError`` for negative ``seconds``, ``RuntimeError`` when timers due at once never end.
        """
        if seconds < 0:
            raise ValueError("time does not run backwards")
        target = self._now + seconds
        self._settle()
        for _ in range(SETTLED_STEPS):
            if not self._heap or self._heap[0][0] > target:
                self._now = target
                return
            when, _order, timer = heapq.heappop(self._heap)
            if timer.call is None:
                continue
            self._now = max(self._now, when)
            timer.call()
            self._settle()
        raise RuntimeError(f"more than {SETTLED_STEPS} timers fired before {target}")

    def _settle(self) -> None:
        for settle in self._settlers:
            settle()
