"""Which of a context's shards this worker serves: those that placement gives it, as soon as it may.

A shard changes hands in this order: the old owner stops taking asks for it, commits and answers what it has,
says *released*; only then does the new owner claim the next epoch and serve. An owner that is known to be
dead is not waited for. One that has only fallen silent is waited for until its lease must have ended, since
until then it may still answer reads; its appends are harmless in any case, the epoch sees to that.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, Protocol

import msgspec

from actors.journal.port import JournalError
from actors.placement import Candidate, placement
from actors.region import Region
from actors.routing import Router
from actors.shard import ShardState

logger = logging.getLogger(__name__)

LEASE_SECONDS = 3.0
MARGIN_SECONDS = 0.5
"""For what clocks and networks add to a lease."""
HANDOVER_SECONDS = 5.0
"""How long a leaving shard may finish what it took; the longest a new owner waits for a living one."""
TICK_SECONDS = 0.25
"""Between two looks at what is still to be claimed, when nothing is heard."""
HANDOVERS = 8
"""Shards of a context that leave at once: the others go on serving meanwhile."""


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What the cluster was told about a shard last."""

    owner: str
    epoch: int
    state: Literal["owned", "released"]


class Ledger(Protocol):
    """Where owners say what they own; eventually the same for everyone, and never needed for safety."""

    def record(self, context: str, shard: int) -> Record | None: ...

    async def write(self, context: str, records: Mapping[int, Record]) -> None:
        """Raises OSError or TimeoutError when it cannot be told now."""


class Members(Protocol):
    """Who is there, as this worker sees it."""

    def candidates(self, context: str) -> Sequence[Candidate]:
        """The active workers that may own shards of the context."""

    def is_alive(self, worker: str) -> bool:
        """Heard of within the lease, and not said to be dead."""

    def is_dead(self, worker: str) -> bool:
        """Said to be dead by its node."""

    def last_heard(self, worker: str) -> float | None:
        """When its heartbeat was last seen to change, on this worker's clock; None if never."""


class Ownership:
    """Keeps one context's shards where they belong. ``changed`` tells it to look again."""

    def __init__(
        self,
        region: Region,
        router: Router,
        members: Members,
        ledger: Ledger,
        worker: str,
        clock: Callable[[], float],
        pins: Callable[[], Mapping[int, str]],
        alone: bool,
    ) -> None:
        """``alone``: nobody else can have owned anything before this worker began."""
        self._region = region
        self._router = router
        self._members = members
        self._ledger = ledger
        self._worker = worker
        self._clock = clock
        self._pins = pins
        self._began = float("-inf") if alone else clock()
        self._leaving: dict[int, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self._untold: dict[int, Record] = {}
        self.wanted: tuple[str, ...] = ()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"ownership of {region.name}")

    @property
    def task(self) -> "asyncio.Task[None]":
        """The task that keeps the shards; its owner watches it."""
        return self._task

    @property
    def complete(self) -> bool:
        """Whether this worker serves all that it should, and nothing else."""
        mine = {number for number, owner in enumerate(self.wanted) if owner == self._worker}
        return bool(self.wanted) and mine == set(self._region.shards)

    def changed(self) -> None:
        """A member, a record or a pin is not what it was."""
        self._news.set()

    async def close(self) -> None:
        """Move nothing any more."""
        tasks = [self._task, *self._leaving.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._news.clear()
            self._look()
            await self._claim()
            await self._tell()
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _look(self) -> None:
        region = self._region
        shards = region.journal.shards
        candidates = self._members.candidates(region.name)
        self.wanted = placement(candidates, shards, region.name, self._pins())
        self._router.owners = self.wanted
        for number, shard in list(region.shards.items()):
            if shard.state is ShardState.FENCED and number not in self._leaving:
                region.forget(number)
            elif not self._is_mine(number) and len(self._leaving) < HANDOVERS and number not in self._leaving:
                task = asyncio.get_running_loop().create_task(self._hand_over(number))
                self._leaving[number] = task
                task.add_done_callback(partial(self._left, number))

    def _is_mine(self, number: int) -> bool:
        return bool(self.wanted) and self.wanted[number] == self._worker

    async def _hand_over(self, number: int) -> None:
        epoch = await self._region.hand_over(number, HANDOVER_SECONDS)
        self._untold[number] = Record(self._worker, epoch, "released")

    def _left(self, number: int, task: "asyncio.Task[None]") -> None:
        del self._leaving[number]
        if not task.cancelled() and task.exception() is not None:
            logger.error("a handover ended badly", exc_info=task.exception())
        self._news.set()

    async def _claim(self) -> None:
        region = self._region
        free = [
            number
            for number in range(len(self.wanted))
            if self._is_mine(number) and number not in region.shards and self._is_free(number)
        ]
        if not free:
            return
        try:
            await region.take(free)
        except JournalError as error:
            logger.warning("shards could not be claimed", extra={"fields": {"error": str(error)}})
            return
        for number in free:
            self._untold[number] = Record(self._worker, region.shards[number].epoch, "owned")

    def _is_free(self, number: int) -> bool:
        record = self._untold.get(number) or self._ledger.record(self._region.name, number)
        if record is None:
            return self._clock() >= self._began + LEASE_SECONDS + MARGIN_SECONDS
        if record.state == "released" or record.owner == self._worker or self._members.is_dead(record.owner):
            return True
        if self._members.is_alive(record.owner):
            return False
        heard = self._members.last_heard(record.owner)
        since = self._began if heard is None else heard
        return self._clock() >= since + LEASE_SECONDS + MARGIN_SECONDS

    async def _tell(self) -> None:
        """Tell the cluster what changed hands; what cannot be told now is told next time."""
        if not self._untold:
            return
        untold = dict(self._untold)
        try:
            await self._ledger.write(self._region.name, untold)
        except (OSError, TimeoutError) as error:
            logger.warning("the cluster could not be told", extra={"fields": {"error": str(error)}})
            return
        for number, record in untold.items():
            if self._untold.get(number) == record:
                del self._untold[number]

    def tell_again(self) -> None:
        """The ledger was lost: say everything anew."""
        for number, shard in self._region.shards.items():
            self._untold.setdefault(number, Record(self._worker, shard.epoch, "owned"))
        self._news.set()
