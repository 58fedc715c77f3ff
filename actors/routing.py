"""The way to a shard on another worker: sent to its owner, and again until the ask's deadline.

Placement says who should own a shard; while it moves, that worker does not yet, or not any more. It then
answers ``MOVED``, which is no answer for a caller: the ask waits a moment and goes out anew. An owner that
dies without a word leaves open whether it has committed: the next one is told to look in its journal first.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Protocol

from actors.messages import Answer, Ask, Reason, Refused

BACKOFF = 0.005
"""Seconds before the second attempt; doubled each time, and half of it drawn by lot."""
BACKOFF_LIMIT = 0.2


class Undelivered(Enum):
    """What became of an ask that no worker has answered."""

    NOT_DELIVERED = "not delivered"
    """Nobody took it: nothing was done."""
    NO_ANSWER = "no answer"
    """Its worker is gone: it may have been done."""


class Carrier(Protocol):
    """What brings asks to other workers; each is answered exactly once, or never after its deadline."""

    def send(
        self,
        worker: str,
        context: str,
        shard: int,
        ask: Ask,
        answered: Callable[[Answer | Undelivered], None],
    ) -> None: ...


class Router:
    """Routes one context's asks to the owners of their shards. At most ``limit`` are away at once."""

    def __init__(
        self,
        context: str,
        worker: str,
        carrier: Carrier,
        tell: Callable[[Ask], None],
        command_id: Callable[[], bytes],
        clock: Callable[[], float],
        limit: int,
    ) -> None:
        self.owners: Sequence[str] = ()
        """The worker that should own each shard; empty while no worker can."""
        self.away = 0
        self.retries = 0
        self._context = context
        self._worker = worker
        self._carrier = carrier
        self._tell = tell
        self._command_id = command_id
        self._clock = clock
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, dict[int, Callable[[], None]]] = {}
        """By shard: what sends each ask that waits for its next attempt at once."""
        self._number = 0

    def send(self, shard: int, ask: Ask) -> None:
        """Bring an ask to the owner of ``shard``; nothing of it has been done here."""
        if self.away >= self._limit:
            ask.reply(Refused(Reason.OVERLOADED, "too many asks are away to other workers", retry_after=1.0))
            return
        self.away += 1
        self._go(shard, ask, 0)

    def _go(self, shard: int, ask: Ask, tries: int) -> None:
        owner = self.owners[shard] if self.owners else self._worker
        if owner == self._worker:
            self._later(shard, ask, tries)
            return
        if ask.command_id is None:
            ask.command_id = self._command_id()
        # From here on only the owner knows whether it is decided.
        ask.decided = True

        def answered(outcome: Answer | Undelivered) -> None:
            if outcome is Undelivered.NO_ANSWER:
                ask.attempt += 1
            elif outcome is Undelivered.NOT_DELIVERED or _has_moved(outcome):
                ask.decided = ask.attempt > 0
            else:
                self.away -= 1
                ask.reply(outcome)
                return
            self._later(shard, ask, tries)

        self._carrier.send(owner, self._context, shard, ask, answered)

    def _later(self, shard: int, ask: Ask, tries: int) -> None:
        """Wait a moment, then see who owns the shard now; it may be this worker."""
        delay = min(BACKOFF * 2.0**tries, BACKOFF_LIMIT) * random.uniform(0.5, 1.0)
        if self._clock() + delay >= ask.deadline:
            self.away -= 1
            if ask.attempt == 0:
                ask.reply(Refused(Reason.MOVED, f"shard {shard} is moving", retry_after=1.0))
            else:
                ask.reply(Refused(Reason.OUTCOME_UNKNOWN, "the shard's owner died before it answered"))
            return
        self.retries += 1
        self._number = number = self._number + 1
        waiting = self._waiting.setdefault(shard, {})

        def again() -> None:
            timer.cancel()
            del waiting[number]
            if not waiting and self._waiting.get(shard) is waiting:
                del self._waiting[shard]
            self._again(shard, ask, tries + 1)

        waiting[number] = again
        timer = self._loop.call_later(delay, again)

    def wake(self, shards: Iterable[int]) -> None:
        """These shards have just been taken by an owner: what waits for them need not wait any longer."""
        for shard in shards:
            for again in list(self._waiting.get(shard, {}).values()):
                again()

    def _again(self, shard: int, ask: Ask, tries: int) -> None:
        if self.owners and self.owners[shard] == self._worker:
            self.away -= 1
            self._tell(ask)
        else:
            self._go(shard, ask, tries)


def _has_moved(outcome: object) -> bool:
    return isinstance(outcome, Refused) and outcome.reason in (Reason.MOVED, Reason.STOPPING)
