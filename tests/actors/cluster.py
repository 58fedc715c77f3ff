"""Several workers in one process: regions over one journal, with couriers that lose and delay on demand."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from actors.clock import VirtualClock
from actors.journal.memory import MemoryJournal
from actors.lease import Lease
from actors.manifest import read
from actors.messages import Answer, Ask, Reason, Refused
from actors.ownership import Ownership
from actors.placement import Candidate
from actors.region import Region, shard_of
from actors.routing import Router, Undelivered
from actors.settings import Settings
from actors.stage import Stage
from contexts.vocabulary import Command
from tests.actors.house import FaultyJournal, context


class Cluster:
    """What the workers share: the journal, the time, who is there and what was said of shards."""

    def __init__(self, shards: int = 8, **sections: object) -> None:
        self.journal = FaultyJournal(MemoryJournal(shards))
        self.clock = VirtualClock()
        self.settings = msgspec.convert(sections, Settings)
        self.workers: dict[str, Worker] = {}
        self.active: list[str] = []
        self.silent: set[str] = set()
        self.dead: set[str] = set()
        self.heard: dict[str, float] = {}
        self.comes_back: str | None = None
        """A silent worker whose heartbeat is heard when somebody looks once more."""

    async def join(self, *names: str) -> "list[Worker]":
        joined = [Worker(self, name) for name in names]
        for worker in joined:
            self.workers[worker.name] = worker
            self.active.append(worker.name)
            self.heard[worker.name] = self.clock.now()
        self.tell()
        return joined

    def tell(self) -> None:
        for worker in self.workers.values():
            worker.ownership.changed()

    def moved(self, shards: Sequence[int]) -> None:
        for worker in self.workers.values():
            worker.router.wake(shards)
        self.tell()

    def leave(self, name: str) -> None:
        """It says so: placement forgets it, it is still there."""
        self.active.remove(name)
        self.tell()

    async def kill(self, name: str, *, told: bool) -> None:
        """It is gone, with or without its node's word; what is on its way to it gets no answer."""
        worker = self.workers.pop(name)
        await worker.die()
        self.active.remove(name)
        (self.dead if told else self.silent).add(name)
        for other in self.workers.values():
            other.carrier.gone(name)
        self.tell()

    async def balanced(self) -> None:
        """Wait until every worker serves what it should."""
        async with asyncio.timeout(10):
            while not all(w.ownership.complete for w in self.workers.values() if w.name in self.active):
                await asyncio.sleep(0.002)

    def owners(self) -> dict[int, str]:
        return {n: w.name for w in self.workers.values() for n in w.region.shards}

    async def close(self) -> None:
        for worker in self.workers.values():
            await worker.end()

    # Members

    def candidates(self, context: str) -> Sequence[Candidate]:
        return [Candidate(name) for name in self.active]

    def is_alive(self, worker: str) -> bool:
        return worker in self.workers and worker not in self.silent

    def is_dead(self, worker: str) -> bool:
        return worker in self.dead

    def last_heard(self, worker: str) -> float | None:
        return self.heard.get(worker)

    async def settled(self) -> bool:
        await asyncio.sleep(0)
        if self.comes_back is not None:
            self.heard[self.comes_back] = self.clock.now()
        return True


class Worker:
    """One worker's region with what moves its shards."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self.cluster = cluster
        self.alive = True
        self.stage = Stage(clock=cluster.clock)
        self.lease = Lease()
        self.carrier = Wire(cluster, self)
        clock = cluster.clock.now
        self.region = Region(
            read(context), cluster.journal, self.stage, cluster.settings, name, self.lease, self.wall
        )
        router = Router("sums", name, self.carrier, self.region.tell, self.region.command_id, clock, 1000)
        self.region.router = router
        self.ownership = Ownership(self.region, router, cluster, cluster.moved, name, clock)
        self.router = router

    def wall(self) -> int:
        return int(self.cluster.clock.now() * 1e6)

    def tell(
        self, command: Command | None, id: str = "a", key: bytes | None = None
    ) -> "asyncio.Future[Answer]":
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        deadline = self.cluster.clock.now() + 1000
        ask = Ask("counter", id, command, deadline, future.set_result)
        if key is not None:
            ask.key, ask.fingerprint = key, b"8 bytes."
        self.region.tell(ask)
        return future

    async def ask(self, command: Command | None, id: str = "a", key: bytes | None = None) -> Answer:
        return await asyncio.wait_for(self.tell(command, id, key), 10)

    def shard(self, id: str) -> int:
        return shard_of("counter", id, self.cluster.journal.shards)

    async def end(self) -> None:
        await self.ownership.stop()
        await self.region.close()
        self.stage.shutdown()

    async def die(self) -> None:
        """End like a killed process: what is not in the journal by now never will be."""
        self.alive = False
        committer = self.region.committer.task
        committer.cancel()
        await asyncio.gather(committer, return_exceptions=True)
        await self.ownership.stop()
        await self.region.recoveries.close()
        self.stage.shutdown()


class Wire:
    """Brings asks to other workers in a loop turn of their own, as a network would."""

    def __init__(self, cluster: Cluster, worker: Worker) -> None:
        self.cluster = cluster
        self.worker = worker
        self.away: dict[int, tuple[str, Callable[[Answer | Undelivered], None]]] = {}
        self.number = 0
        self.lose_answers = False
        self.delay_answers: asyncio.Event | None = None

    def send(
        self,
        worker: str,
        context: str,
        shard: int,
        ask: Ask,
        answered: Callable[[Answer | Undelivered], None],
    ) -> None:
        self.number += 1
        number = self.number
        self.away[number] = (worker, answered)
        asyncio.get_running_loop().call_soon(self._deliver, number, worker, ask)

    def _deliver(self, number: int, name: str, ask: Ask) -> None:
        target = self.cluster.workers.get(name)
        if target is None:
            self._finish(number, Undelivered.NOT_DELIVERED)
            return

        def reply(answer: Answer) -> None:
            if not self.lose_answers and target.alive:
                asyncio.get_running_loop().call_soon(self._finish, number, answer)

        copy = msgspec.structs.replace(ask, reply=reply, relayed=True, decided=False)
        target.region.tell(copy)

    def _finish(self, number: int, outcome: Answer | Undelivered) -> None:
        if number in self.away:
            self.away.pop(number)[1](outcome)

    def gone(self, name: str) -> None:
        for number, (worker, _) in list(self.away.items()):
            if worker == name:
                self._finish(number, Undelivered.NO_ANSWER)


def is_moved(answer: Answer) -> bool:
    return isinstance(answer, Refused) and answer.reason is Reason.MOVED
