"""A steady light load on every shard of a context, that notices how long some of them do not answer.

One client per shard commands one entity of it, waits a moment after each answer, and asks again at once after
whatever else came of it. Only commands that were sent after a shard's owner had died tell that it is back:
the answer to an earlier one may have been on its way already.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

from bench.cluster.client import FAILURES, Client
from bench.cluster.reserving import path, reservation

PAUSE = 0.03
"""Seconds between an answer and the next command of a client."""
AGAIN = 0.005
"""Seconds between a refusal, or a broken connection, and the next attempt."""
LIMIT = 0.5
"""Seconds after which a client waits no longer and sends another command on a new connection."""
PATIENCE = 30.0


class NotBack(Exception):
    """Shards did not answer again; one line."""


class Absence:
    """Some shards from the moment their owner died until every one has answered; times in seconds."""

    def __init__(self, shards: Iterable[int], since: float) -> None:
        self.since = since
        self.missing = set(shards)
        self.seconds = 0.0
        """Until the latest one that is back was."""

    def answered(self, shard: int, sent: float, now: float) -> None:
        """A command to a shard, sent then, was accepted now."""
        if sent >= self.since and shard in self.missing:
            self.missing.discard(shard)
            self.seconds = max(self.seconds, now - self.since)


class Probes:
    """Commands ``spaces``, one per shard, through the gateway at ``url``; reservations are numbered from
    ``first``. Made by ``probing``."""

    def __init__(self, url: str, spaces: Mapping[int, str], first: int) -> None:
        self.accepted = 0
        self.refused = 0
        self.broken = 0
        self._url = url
        self._spaces = spaces
        self._first = first
        self._loop = asyncio.get_running_loop()
        self._absence: Absence | None = None
        self._back = asyncio.Event()

    async def absence(self, shards: Iterable[int], since: float) -> float:
        """Seconds from ``since``, on the loop's clock, until each of the shards has accepted a command that
        was sent after it. Raises NotBack."""
        absence = self._absence = Absence(shards, since)
        self._back.clear()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._back.wait()
        except TimeoutError as error:
            missing = sorted(absence.missing)
            raise NotBack(f"{len(missing)} shards were away for {PATIENCE:g} s: {missing[:8]}") from error
        finally:
            self._absence = None
        return absence.seconds

    async def run(self, shard: int) -> None:
        """Command one shard until cancelled."""
        client = Client(self._url)
        target = path(self._spaces[shard])
        number = self._first
        try:
            while True:
                sent = self._loop.time()
                number += 1
                try:
                    status = await client.post(target, reservation(number), LIMIT)
                except FAILURES:
                    self.broken += 1
                    await asyncio.sleep(AGAIN)
                    continue
                if status // 100 == 2:
                    self.accepted += 1
                    self._answered(shard, sent)
                else:
                    self.refused += 1
                await asyncio.sleep(PAUSE if status // 100 == 2 else AGAIN)
        finally:
            client.close()

    def _answered(self, shard: int, sent: float) -> None:
        if self._absence is not None:
            self._absence.answered(shard, sent, self._loop.time())
            if not self._absence.missing:
                self._back.set()


@contextlib.asynccontextmanager
async def probing(url: str, spaces: Mapping[int, str], first: int = 0) -> AsyncIterator[Probes]:
    """Probes that run meanwhile."""
    probes = Probes(url, spaces, first)
    tasks = [asyncio.create_task(probes.run(shard)) for shard in spaces]
    try:
        yield probes
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
