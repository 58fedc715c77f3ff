"""Pending wakeups: one heap for all actors, whatever their number, behind one timer of the clock.

A wakeup of an actor that has exited is skipped when it is due; once more than half of the heap is such
waste, the heap is rebuilt without it, so short-lived actors with long timers do not add up.
"""

import heapq
import math
from typing import Any

from thespian.actors import WakeupMessage

from actors.stage.address import Address
from actors.stage.notices import TooManyWakeups

WASTE = 1024
"""Entries of exited actors that are never worth a rebuild."""

Entry = tuple[float, int, Address, Any, Any]
"""Due (clock seconds), order, actor, the period as asked for, payload: about 200 bytes with its numbers."""


class Wakeups:
    """Wakeups in due order, those due at once in the order they were asked for."""

    __slots__ = ("_heap", "_order", "_waste", "bound")

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._heap: list[Entry] = []
        self._order = 0
        self._waste = 0

    def __len__(self) -> int:
        return len(self._heap) - self._waste

    def add(self, due: float, address: Address, period: Any, payload: Any) -> bool:
        """Returns whether it is now the first due.

        Raises ``TooManyWakeups`` at the bound, ``ValueError`` when it would never be due."""
        if not math.isfinite(due):  # NaN would break the heap's order for everyone
            raise ValueError(f"no time for a wakeup: {due}")
        if len(self) >= self.bound:
            raise TooManyWakeups(self.bound)
        self._order += 1
        entry = (due, self._order, address, period, payload)
        heapq.heappush(self._heap, entry)
        address.wakeups += 1
        return self._heap[0] is entry

    def first_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float, limit: int) -> list[tuple[Address, WakeupMessage]]:
        """At most ``limit`` wakeups of living actors that are due, in due order."""
        due: list[tuple[Address, WakeupMessage]] = []
        while self._heap and self._heap[0][0] <= now and len(due) < limit:
            _, _, address, period, payload = heapq.heappop(self._heap)
            if address.actor is None:
                self._waste -= 1
                continue
            address.wakeups -= 1
            due.append((address, WakeupMessage(period, payload)))
        return due

    def cancel(self, address: Address) -> None:
        """Forget those of an actor that has just exited."""
        if not address.wakeups:
            return
        self._waste += address.wakeups
        address.wakeups = 0
        if self._waste > WASTE and self._waste * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].actor is not None]
            heapq.heapify(self._heap)
            self._waste = 0

    def clear(self) -> None:
        self._heap.clear()
        self._waste = 0

    def of(self, address: Address) -> list[tuple[float, Any]]:
        """(due, period) of one actor's, in due order. For diagnosis: it looks through all of them."""
        return sorted((entry[0], entry[3]) for entry in self._heap if entry[2] is address)
