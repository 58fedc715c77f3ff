"""How far views are: waiting until they have folded what a caller knows of, and telling how much they lag.

Lag is reckoned on this worker's monotonic clock, from the moment it learned that a shard had gone further:
nobody's wall clock counts."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from actors.views.port import Standing, ViewStore

POLL = (0.005, 0.01, 0.02, 0.05)
"""Seconds between two looks at the store while somebody waits for what other workers fold; the last
repeats."""
LEARNED = 64
"""Steps of a shard that are remembered at most; the oldest count."""


class Freshness:
    """Of one context's views on this worker."""

    def __init__(self, store: ViewStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._learned: dict[int, deque[tuple[int, float]]] = {}
        """By shard: sequences that not all views have folded, and when this worker learned of them."""
        self._moved = asyncio.Event()
        self._looking: asyncio.Task[dict[str, Standing]] | None = None

    # Waiting ---------------------------------------------------------------------------------------------

    async def fresh(
        self, views: Sequence[str], positions: Mapping[int, int], deadline: float
    ) -> Mapping[int, int] | None:
        """Wait until each of these views has folded every shard at least as far as ``positions`` say; None
        then. At the deadline, on the loop's clock: what the slowest has reached of what is still missing.

        Raises ViewsUnavailable and NoSuchView."""
        attempt = 0
        while True:
            moved = self._moved
            missing = _missing(await self._look(views), positions)
            if not missing:
                return None
            left = deadline - self._clock()
            if left <= 0:
                return missing
            try:
                async with asyncio.timeout(min(left, POLL[min(attempt, len(POLL) - 1)])):
                    await moved.wait()
            except TimeoutError:
                attempt += 1

    async def _look(self, views: Sequence[str]) -> dict[str, Standing]:
        """One look for all who wait at this moment."""
        task = self._looking
        if task is not None and not task.done():
            # It may have begun too early for us; at worst we look once more.
            found = await asyncio.shield(task)
            if all(view in found for view in views):
                return found
        task = self._looking = asyncio.get_running_loop().create_task(
            self._store.standings(views), name="looking how far views are"
        )
        return await asyncio.shield(task)

    def moved(self) -> None:
        """Positions have changed here."""
        self._moved.set()
        self._moved = asyncio.Event()

    # Lag -------------------------------------------------------------------------------------------------

    def learned(self, shard: int, seq: int) -> None:
        """The shard has committed events up to this sequence."""
        steps = self._learned.get(shard)
        if steps is None:
            steps = self._learned[shard] = deque()
        if len(steps) < LEARNED and (not steps or steps[-1][0] < seq):
            steps.append((seq, self._clock()))

    def folded(self, shard: int, seq: int) -> None:
        """Every view has folded the shard up to this sequence."""
        steps = self._learned.get(shard)
        if steps is None:
            return
        while steps and steps[0][0] <= seq:
            steps.popleft()
        if not steps:
            del self._learned[shard]

    def age(self, standing: Standing) -> float:
        """Seconds for which something has been committed, as far as this worker knows, that the standing
        lacks; 0.0 if it lacks nothing."""
        return self.behind({shard: standing.positions.get(shard, 0) for shard in self._learned})

    def behind(self, positions: Mapping[int, int]) -> float:
        """The same for these shards alone, of what has been folded as far as ``positions`` say."""
        oldest = None
        for shard, steps in self._learned.items():
            reached = positions.get(shard)
            if reached is None:
                continue
            for seq, since in steps:
                if seq > reached:
                    oldest = since if oldest is None else min(oldest, since)
                    break
        return 0.0 if oldest is None else max(0.0, self._clock() - oldest)

    async def close(self) -> None:
        """Let a look that is under way end."""
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)


def _missing(standings: Mapping[str, Standing], positions: Mapping[int, int]) -> dict[int, int]:
    missing: dict[int, int] = {}
    for standing in standings.values():
        for shard, wanted in positions.items():
            reached = standing.positions.get(shard, 0)
            if reached < wanted:
                missing[shard] = min(missing.get(shard, reached), reached)
    return missing
