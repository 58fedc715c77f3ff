"""Single documents that many ask for at once, read together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from actors.views.conditions import Condition
from actors.views.port import Page, Reading, ViewsUnavailable, Wanted

TOGETHER = 500
"""Keys in one statement."""
ATTEMPTS = 3

_Asked = tuple[str, Condition, bool]


class _Group:
    """What is read together: it takes more until its turn comes."""

    def __init__(self) -> None:
        self.keys: dict[str, None] = {}
        self.answer: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()


class Gets:
    """Before ``read``. Who asks first reads for all who ask the same of other keys until the loop has been
    round once: a statement costs the server and this process more than what it finds."""

    def __init__(self, read: Callable[[Sequence[Wanted]], Awaitable[Reading]]) -> None:
        self._read = read
        self._groups: dict[_Asked, _Group] = {}

    @staticmethod
    def takes(wanted: Wanted) -> bool:
        """It is of this kind: a few documents by key, and nothing else."""
        return (
            wanted.keys is not None
            and len(wanted.keys) <= min(wanted.limit, TOGETHER)
            and not wanted.search
            and wanted.sort is None
            and wanted.after is None
            and not wanted.total
            and not wanted.descending
        )

    async def read(self, wanted: Wanted) -> Reading:
        """Raises what ``read`` raises."""
        keys = wanted.keys or ()
        for _ in range(ATTEMPTS):
            group = self._groups.get((wanted.view, wanted.where, wanted.tombstones))
            if group is None or len(group.keys) + len(keys) > TOGETHER:
                reading = await self._lead(wanted, keys)
                return _part(reading, keys)
            group.keys.update(dict.fromkeys(keys))
            try:
                return _part(await asyncio.shield(group.answer), keys)
            except asyncio.CancelledError:
                if not group.answer.cancelled():
                    raise
                # It is who read for us that was cancelled.
        raise ViewsUnavailable("those who read for others were cancelled")

    async def _lead(self, wanted: Wanted, keys: Sequence[str]) -> Reading:
        asked = (wanted.view, wanted.where, wanted.tombstones)
        group = self._groups[asked] = _Group()
        group.keys.update(dict.fromkeys(keys))
        try:
            try:
                await asyncio.sleep(0)
            finally:
                if self._groups.get(asked) is group:
                    del self._groups[asked]
            together = Wanted(
                wanted.view, tuple(group.keys), wanted.where, limit=TOGETHER, tombstones=wanted.tombstones
            )
            reading = await self._read([together])
        except asyncio.CancelledError:
            group.answer.cancel()
            raise
        except Exception as error:
            group.answer.set_exception(error)
            # Nobody else may be there to hear it.
            group.answer.exception()
            raise
        group.answer.set_result(reading)
        return reading


def _part(reading: Reading, keys: Sequence[str]) -> Reading:
    wanted = frozenset(keys)
    found = [one for one in reading.pages[0].found if one.key in wanted]
    return Reading([Page(found)], reading.standings)
