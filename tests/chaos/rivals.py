"""Two clients that want the same slot at the same moment, each on a connection that one worker serves."""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

from contexts.booking.commands import Reserve
from tests.chaos.clients import Client
from tests.chaos.cluster.node import Node
from tests.chaos.gateways import Gateways
from tests.chaos.history import History, Operation
from tests.chaos.load import MONDAY, OPENING


class Rival:
    """A client with one connection, which must never be made anew."""

    def __init__(self, client: Client, node: Node, made: list[socket.socket]) -> None:
        self.client = client
        self._node = node
        self._made = made

    @property
    def worker(self) -> int:
        """The pid of the worker that serves it."""
        (connection,) = self._made
        return server_of(connection.getsockname()[1], self._node)


@asynccontextmanager
async def rival(name: str, node: Node, history: History) -> AsyncIterator[Rival]:
    """One whose connection is open."""
    made: list[socket.socket] = []

    def make(_: int) -> socket.socket:
        made.append(node.place.socket())
        return made[-1]

    gateways = Gateways(lambda: [node.url], history.now, 10.0, make)
    async with gateways.session() as session:
        client = Client(name, history, gateways, session)
        await client.read("nowhere", None, random.Random(0))
        yield Rival(client, node, made)


def server_of(port: int, node: Node) -> int:
    """The pid of the worker of ``node`` that serves the connection from a client's ``port``."""
    ends = [f"0100007F:{node.port:04X}", f"0100007F:{port:04X}"]
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    (inode,) = [words[9] for words in table if words[1:3] == ends]
    (worker,) = [pid for pid in node.workers() if f"socket:[{inode}]" in _open_files(pid)]
    return worker


def _open_files(pid: int) -> set[str]:
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(file))
    return found


async def compete(ones: Sequence[Rival], others: Sequence[Rival], rounds: int, seed: int) -> list[list[int]]:
    """Each pair fights for the slots of a space of its own, one after the other: the statuses per round.

    In every second round both want the same reservation, else only the same time."""

    async def pair(lane: int, rivals: tuple[Rival, Rival]) -> list[list[int]]:
        rng = random.Random(f"{seed}/{lane}")
        space, told = f"contested-{lane}", []
        first = rivals[0].client
        await first.tell(space, OPENING, first.new_key(), rng)
        for number in range(rounds // len(ones)):
            answers = await asyncio.gather(
                *(_reserve(each.client, space, number, rng) for each in rng.sample(rivals, 2))
            )
            told.append([answer.answer.status for answer in answers if answer.answer is not None])
        return told

    lanes = await asyncio.gather(*(pair(*each) for each in enumerate(zip(ones, others, strict=True))))
    return [statuses for lane in lanes for statuses in lane]


async def _reserve(client: Client, space: str, number: int, rng: random.Random) -> Operation:
    start = MONDAY + timedelta(hours=number)
    name = f"{space}-{number}" if number % 2 else f"{space}-{number}-{client.name}"
    wish = Reserve(name, name, 4, start, start + timedelta(hours=1))
    return await client.tell(space, wish, client.new_key(), rng)
