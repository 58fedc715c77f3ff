"""Calls that come while a transaction is under way share the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from actors.views.port import Done, ViewsUnavailable, Work

WAITING = 1_024
"""Calls that may wait."""
ROWS = 10_000
"""Rows in one transaction, unless a single call has more."""


class _Call:
    """Works, and what came of them."""

    def __init__(self, works: Sequence[Work]) -> None:
        self.works = works
        self.shards = {(work.generation, work.shard) for work in works}
        self.done: list[Done] = []
        self.error: BaseException | None = None
        self.answered = False


class FoldQueue:
    """Before ``fold``, which is called for one transaction after the other."""

    def __init__(self, fold: Callable[[Sequence[Work]], Awaitable[list[Done]]]) -> None:
        self._fold = fold
        self._waiting: deque[_Call] = deque()
        self._turn = asyncio.Lock()

    async def project(self, works: Sequence[Work]) -> list[Done]:
        """See ``port.ViewStore.project``."""
        if len(self._waiting) >= WAITING:
            raise ViewsUnavailable(f"{WAITING} calls wait for PostgreSQL already")
        call = _Call(works)
        self._waiting.append(call)
        try:
            async with self._turn:
                while not call.answered:
                    await self._serve(self._take())
        finally:
            if call in self._waiting:
                self._waiting.remove(call)
        if call.error is not None:
            raise call.error
        return call.done

    def _take(self) -> list[_Call]:
        """The first, and as many more as fit. Calls that would fold the same shard go one after the other."""
        taken: list[_Call] = []
        shards: set[tuple[int, int]] = set()
        rows = 0
        while self._waiting:
            call = self._waiting[0]
            rows += sum(len(work.rows) for work in call.works)
            if taken and (rows > ROWS or not shards.isdisjoint(call.shards)):
                break
            shards |= call.shards
            taken.append(self._waiting.popleft())
        return taken

    async def _serve(self, calls: Sequence[_Call]) -> None:
        # Until there is an answer: whoever serves may be cancelled, and the others must not wait for ever.
        error: BaseException | None = ViewsUnavailable("the transaction was given up")
        done: list[Done] = []
        try:
            done = await self._fold([work for call in calls for work in call.works])
            error = None
        except Exception as failed:  # noqa: BLE001 - whatever it is, all who share the transaction are told
            error = failed
        finally:
            answers = iter(done)
            for call in calls:
                call.answered, call.error = True, error
                if error is None:
                    call.done = [next(answers) for _ in call.works]
