"""Several nodes over one NATS server and one PostgreSQL, all real processes, with their operator."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from actors.journal.port import Row
from tests.chaos.cluster.node import BUTAI, ENVIRONMENT, Node
from tests.chaos.cluster.place import Branches, Place
from tests.chaos.cluster.process import Process
from tests.chaos.cluster.servers import Nats, Postgres
from tests.chaos.stored import stored_in_postgres
from tests.ports import free_port

NAME = "chaos"
STOP_SECONDS = 40.0
OPERATE_SECONDS = 90.0


class Cluster:
    """Made by ``clustered``. Nodes may be added; every one is ended with the cluster."""

    def __init__(
        self, folder: Path, nats: Nats, postgres: Postgres, settings: Sequence[str], branches: Branches | None
    ) -> None:
        self.folder = folder
        self.nats = nats
        self.postgres = postgres
        self.branches = branches
        """None: all are on this machine's loopback, and no cable can be cut."""
        self.stem: Place = branches.stem if branches is not None else Place()
        """Where the servers are."""
        self.nodes: list[Node] = []
        self._places: dict[int, Place] = {}
        shared = (f"cluster={NAME}", f"journal={postgres.url}", f"bus={nats.url}")
        self._settings = (*shared, *settings)
        self._operations = 0

    def add(self, name: str, workers: int, *settings: str) -> Node:
        """One more node, with ``settings`` of its own; not started."""
        place = self.branches.grow() if self.branches is not None else Place()
        port = free_port()
        while port in self._places:
            port = free_port()
        self._places[port] = place
        node = Node(name, self.folder / name, place, port, workers, (*self._settings, *settings))
        self.nodes.append(node)
        return node

    def place_of(self, port: int) -> Place:
        """Where the gateway with this port is."""
        return self._places[port]

    async def operate(self, *words: str, well: bool = True) -> str:
        """Run one of the operator's commands to its end; ``well``: it must succeed. What it has said."""
        self._operations += 1
        output = self.folder / f"operator-{self._operations}.out"
        command = [*BUTAI, *words]
        for each in (*self._settings, f"data={self.folder / 'operator'}"):
            command += ["--set", each]
        with self.stem.inside():
            process = Process(command, output, self.folder, ENVIRONMENT)
        try:
            status = await process.ended(OPERATE_SECONDS)
        finally:
            process.kill()
        said = process.log.read_text().strip()
        assert status == 0 or (status == 1 and not well), f"butai {words} ended with {status}: {said}"
        return process.said()

    async def survey(self) -> Any:
        """What ``butai status`` says, also when something is not served."""
        return json.loads(await self.operate("status", "--json", well=False))

    async def settled(self, seconds: float) -> bool:
        """Whether within this time all workers answer the operator, and every shard is open."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = await self.survey()
            if not found["silent"] and not found["not_open"] and len(found["nodes"]) == self.up:
                return True
        return False

    @property
    def up(self) -> int:
        """How many nodes are meant to serve."""
        return sum(node.up for node in self.nodes)

    async def serves(self, seconds: float) -> bool:
        """Whether all nodes that are meant to be up say within ``seconds`` that they are ready."""
        for node in self.nodes:
            if node.up and not await eventually_there(node, seconds):
                return False
        return True

    async def stop(self) -> None:
        """End all nodes in order, at the same time."""
        going = [node for node in self.nodes if node.up]
        ended = await asyncio.gather(*(end(node) for node in going))
        for node, status in zip(going, ended, strict=True):
            assert status == 0, f"{node.name} ended with {status}, see {node.running.log}"

    async def stored(self, context: str = "booking") -> list[Row]:
        """All that the journal holds of a context."""

        def read() -> list[Row]:
            with self.stem.inside():
                return asyncio.run(stored_in_postgres(self.postgres.url, context))

        return await asyncio.to_thread(read)


async def eventually_there(node: Node, seconds: float) -> bool:
    """Whether it says in time that it is ready; the loop is not held up by asking."""

    async def there() -> bool:
        while not await asyncio.to_thread(node.serves):
            await asyncio.sleep(0.05)
        return True

    try:
        return await asyncio.wait_for(there(), seconds)
    except TimeoutError:
        return False


async def end(node: Node) -> int | None:
    """Ask a node to end; its exit status, or None when it did not end in time."""
    node.up = False
    node.running.terminate()
    return await node.running.ended(STOP_SECONDS)


@asynccontextmanager
async def clustered(
    folder: Path,
    workers: Sequence[int],
    *settings: str,
    first: Sequence[str] = (),
    branches: Branches | None = None,
) -> AsyncIterator[Cluster]:
    """A node for each number of ``workers``, all serving; all gone at the end, whatever happens.

    ``first``: settings that only the first node has."""
    place: Place = branches.stem if branches is not None else Place()
    with ExitStack() as stack:
        nats = Nats(folder, place)
        stack.callback(nats.kill)
        postgres = await asyncio.to_thread(Postgres, folder, place)
        stack.callback(postgres.remove)
        cluster = Cluster(folder, nats, postgres, settings, branches)

        def kill_all() -> None:
            for node in cluster.nodes:
                node.kill()

        stack.callback(kill_all)
        await asyncio.gather(nats.start(), postgres.start())
        for number, count in enumerate(workers):
            cluster.add("abcdefgh"[number], count, *(first if number == 0 else ())).launch()
        await asyncio.gather(*(node.ready() for node in cluster.nodes))
        yield cluster
