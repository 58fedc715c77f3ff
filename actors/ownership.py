"""Which of a context's shards this worker serves: those that placement gives it, as soon as it may.

A shard changes hands in this order: the old owner stops taking asks for it, commits and answers what it has,
and releases it in the journal; only then does the new owner claim the next epoch and serve. An owner that is
known to be dead is not waited for. One that has only fallen silent is waited for until its lease must have
ended, since until then it may still answer reads; its appends are harmless, the epoch sees to that.

Whose a shard is, only the journal knows. What workers tell each other is a hint to look there again.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from actors.cancellation import end
from actors.journal.port import JournalError, Tenure
from actors.lease import LEASE_SECONDS
from actors.placement import Candidate, placement
from actors.region import Region
from actors.routing import Router
from actors.shard import ShardState

logger = logging.getLogger(__name__)

MARGIN_SECONDS = 0.5
"""For what clocks and networks add to a lease."""
HANDOVER_SECONDS = 5.0
"""How long a leaving shard may finish what it took; the longest a new owner waits for a living one."""
TICK_SECONDS = 0.25
"""Between two looks at what is still to be claimed, when nothing is heard."""
HANDOVERS = 8
"""Shards of a context that leave at once: the others go on serving meanwhile."""


class Members(Protocol):
    """Who is there, as this worker sees it."""

    def candidates(self, context: str) -> Sequence[Candidate]:
        """The active workers that may own shards of the context."""

    def is_alive(self, worker: str) -> bool:
        """Heard of within the lease, and not said to be dead."""

    def is_dead(self, worker: str) -> bool:
        """Certainly ended: its node says so."""

    def last_heard(self, worker: str) -> float | None:
        """When its heartbeat was last seen to change, on this worker's clock; None if never."""

    async def settled(self) -> bool:
        """Return when every heartbeat that was sent before this call has been heard; False if that could
        not be found out."""


class Ownership:
    """Keeps one context's shards where they belong. ``changed`` tells it to look again."""

    def __init__(
        self,
        region: Region,
        router: Router,
        members: Members,
        tell: Callable[[Sequence[int]], None],
        worker: str,
        clock: Callable[[], float],
        pins: Callable[[], Mapping[int, str]] = dict,
    ) -> None:
        """``tell`` lets the other workers know that shards have been released, or which ones taken."""
        self._region = region
        self._router = router
        self._members = members
        self._tell = tell
        self._worker = worker
        self._clock = clock
        self._pins = pins
        self._began = clock()
        self._moving: dict[int, asyncio.Task[None]] = {}
        self._unreleased: dict[int, int] = {}
        self._news = asyncio.Event()
        self._seen: object = None
        self.trouble = ""
        """Why shards cannot be claimed or released at present; empty when they can."""
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
        """A member, a pin or a shard is not what it was."""
        self._news.set()

    async def recheck(self) -> None:
        """Look whether the shards that are held are still ours, after the lease had ended. Raises
        JournalError."""
        tenures = await self._region.journal.tenures()
        shards = self._region.shards
        lost = [t.shard for t in tenures if t.shard in shards and shards[t.shard].epoch < t.epoch]
        if lost:
            self._region.committer.fence(frozenset(lost))
            self.changed()

    async def stop(self) -> None:
        """Move nothing any more."""
        await end(self._task, *self._moving.values())

    async def release_all(self) -> None:
        """Give up what is left, once all that was taken is answered."""
        shards = self._region.shards
        self._unreleased.update({n: s.epoch for n, s in shards.items() if s.state is not ShardState.FENCED})
        await self._release()

    async def _run(self) -> None:
        while True:
            self._news.clear()
            self._look()
            await self._release()
            await self._claim()
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _look(self) -> None:
        region = self._region
        candidates, pins = self._members.candidates(region.name), self._pins()
        # When nobody is left to take them, everything stays where it is, and is served to the end.
        if candidates and (candidates, pins) != self._seen:
            self._seen = (candidates, pins)
            self.wanted = placement(candidates, region.journal.shards, region.name, pins)
            self._router.owners = self.wanted
        for number, shard in list(region.shards.items()):
            if number in self._moving:
                continue
            if shard.state is ShardState.FENCED:
                self._move(number, self._let_go(number))
            elif self.wanted and self.wanted[number] != self._worker and len(self._moving) < HANDOVERS:
                self._move(number, self._hand_over(number))

    def _move(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        task = self._moving[number] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(partial(self._moved, number))

    async def _let_go(self, number: int) -> None:
        """Forget a fenced shard, once nothing that is being committed belongs to it."""
        await self._region.committer.settled()
        self._region.forget(number)

    async def _hand_over(self, number: int) -> None:
        self._unreleased[number] = await self._region.hand_over(number, HANDOVER_SECONDS)

    def _moved(self, number: int, task: "asyncio.Task[None]") -> None:
        del self._moving[number]
        if not task.cancelled() and task.exception() is not None:
            logger.error("a handover ended badly", exc_info=task.exception())
        self._news.set()

    async def _release(self) -> None:
        """Say in the journal what is not served any more; what cannot be said now is said next time."""
        if not self._unreleased:
            return
        released, self._unreleased = self._unreleased, {}
        try:
            await self._region.journal.release(released)
        except JournalError as error:
            self._unreleased = released | self._unreleased
            self._cannot("released", error)
            return
        self._tell(())

    async def _claim(self) -> None:
        region = self._region
        missing = [n for n, o in enumerate(self.wanted) if o == self._worker and n not in region.shards]
        if not missing:
            self.trouble = ""
            return
        try:
            tenures = await region.journal.tenures()
            lacking = [tenures[number] for number in missing if number not in self._unreleased]
            await self._take([tenure for tenure in lacking if self._is_free(tenure.owner)])
            await self._take_from_silent([t for t in lacking if self._is_silent(t.owner)])
            self.trouble = ""
        except JournalError as error:
            self._cannot("claimed", error)

    async def _take(self, tenures: Sequence[Tenure]) -> None:
        if not tenures:
            return
        shards = [tenure.shard for tenure in tenures]
        await self._region.take(shards, after={t.shard: t.epoch for t in tenures})
        self._tell(shards)
        self._router.wake(shards)

    async def _take_from_silent(self, tenures: Sequence[Tenure]) -> None:
        """First fence the old owner, in its own name: should we end now, its silence still has to be waited
        out by whoever comes next. Then see whether it has come back meanwhile: it may have found its epoch in
        order just before, and answer reads for another lease. Only then take the shards."""
        heard = {tenure.owner: self._members.last_heard(tenure.owner) for tenure in tenures}
        fenced: list[Tenure] = []
        for owner in heard:
            after = {tenure.shard: tenure.epoch for tenure in tenures if tenure.owner == owner}
            claims = await self._region.journal.claim(list(after), owner, after=after)
            fenced += [Tenure(claim.shard, claim.epoch, owner) for claim in claims]
        if fenced and await self._members.settled():
            await self._take([t for t in fenced if self._members.last_heard(t.owner) == heard[t.owner]])

    def _is_free(self, owner: str) -> bool:
        return owner in ("", self._worker) or self._members.is_dead(owner)

    def _is_silent(self, owner: str) -> bool:
        """Whether its lease must have ended: nobody has heard of it for so long."""
        members = self._members
        if self._is_free(owner) or members.is_alive(owner):
            return False
        heard = members.last_heard(owner)
        return self._clock() >= (self._began if heard is None else heard) + LEASE_SECONDS + MARGIN_SECONDS

    def _cannot(self, what: str, error: JournalError) -> None:
        if not self.trouble:
            fields = {"context": self._region.name, "error": str(error)}
            logger.warning("shards cannot be %s", what, extra={"fields": fields})
        self.trouble = f"shards cannot be {what}: {error}"
