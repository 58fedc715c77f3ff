"""The asking side of the control plane: what an operator sees and says."""

import asyncio
import logging
import time
from collections.abc import Iterable

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg

from actors.control import subjects
from actors.control.facts import NodeFacts, WorkerFacts
from actors.control.messages import (
    Ask,
    Failed,
    NodeStatus,
    NotUnderstood,
    Reply,
    Status,
    WorkerStatus,
    decode_reply,
    encode,
)
from actors.fabric.connection import Connection

log = logging.getLogger(__name__)

SECONDS = 2.0
"""How long to wait for answers that are due."""
LATE = 0.25
"""Seconds in which those may answer of whom it is not known that they are there."""
QUIET = 0.3
"""Seconds without another answer after which none is expected, when it is not known who is there."""


class Refused(Exception):
    """What was asked was not done; one line."""


class Owned(msgspec.Struct, frozen=True):
    """A shard as its owner tells of it."""

    context: str
    shard: int
    owner: str
    epoch: int
    state: str
    seq: int


class Survey(msgspec.Struct, frozen=True):
    """The cluster at one moment, as far as it answered."""

    nodes: list[NodeFacts]
    workers: list[WorkerFacts]
    silent: list[str]
    """Workers that should be there and did not answer."""

    def shards(self) -> list[Owned]:
        """Every shard that somebody has, by context and number."""
        return sorted(
            (
                Owned(context.context, shard.shard, worker.worker, shard.epoch, shard.state, shard.seq)
                for worker in self.workers
                for context in worker.contexts
                for shard in context.shards
            ),
            key=lambda owned: (owned.context, owned.shard, owned.owner),
        )

    def sizes(self) -> dict[str, int]:
        """How many shards each context has."""
        return {context.context: context.of for worker in self.workers for context in worker.contexts}

    def not_open(self) -> list[str]:
        """Shards that do not have exactly one owner which serves them, as ``context/number``."""
        owners: dict[tuple[str, int], list[str]] = {}
        for owned in self.shards():
            owners.setdefault((owned.context, owned.shard), []).append(owned.state)
        return [
            f"{context}/{shard}"
            for context, size in sorted(self.sizes().items())
            for shard in range(size)
            if owners.get((context, shard)) != ["open"]
        ]

    def settled(self) -> bool:
        """Every wanted worker serves, and every shard is open."""
        slots = [slot for node in self.nodes for slot in node.slots]
        return (
            bool(slots)
            and not self.silent
            and all(slot.state == "serving" for slot in slots)
            and all(len(node.slots) == node.wanted for node in self.nodes)
            and {slot.worker for slot in slots} <= {worker.worker for worker in self.workers}
            and not self.not_open()
        )


class Operator:
    """Asks over an open connection."""

    def __init__(self, connection: Connection, cluster: str) -> None:
        self._connection = connection
        self._cluster = cluster

    async def survey(self, seconds: float = SECONDS) -> Survey:
        """Ask everyone; returns when all that are known to be there have answered, or after ``seconds``.
        Raises Unreachable or TimeoutError when the bus is away."""
        expected = await self._members()
        answers = _Answers()
        inbox = self._connection.client.new_inbox()
        subscription = await self._connection.subscribe(inbox, answers.take)
        try:
            self._connection.publish(subjects.everyone(self._cluster), encode(Status()), reply=inbox)
            began = time.monotonic()
            # A node without workers is in nobody's list: it gets a moment, too.
            while (left := began + (LATE if answers.complete(expected) else seconds) - time.monotonic()) > 0:
                answers.news.clear()
                try:
                    await asyncio.wait_for(answers.news.wait(), min(left, QUIET) if not expected else left)
                except TimeoutError:
                    if answers.nodes and not expected:
                        break
        finally:
            await subscription.unsubscribe()
        return answers.survey(expected)

    async def ask_node(self, node: str, ask: Ask) -> None:
        """Have a node do something. Raises Refused, Unreachable or TimeoutError."""
        await self._ask(subjects.node(self._cluster, node), f"node {node}", ask, SECONDS)

    async def ask_worker(self, worker: str, ask: Ask, seconds: float = SECONDS) -> Reply:
        """Have a worker do something; what it says. Raises Refused, Unreachable or TimeoutError."""
        return await self._ask(subjects.worker(self._cluster, worker), f"worker {worker}", ask, seconds)

    async def _ask(self, subject: str, whom: str, ask: Ask, seconds: float) -> Reply:
        try:
            message = await self._connection.request(subject, encode(ask), seconds)
            reply = decode_reply(message.data)
        except nats.errors.NoRespondersError:
            raise Refused(f"there is no {whom} in the cluster {self._cluster}") from None
        except TimeoutError:
            raise TimeoutError(f"{whom} did not answer within {seconds:g} s") from None
        except NotUnderstood as error:
            raise Refused(f"{whom}: {error}") from error
        if isinstance(reply, Failed):
            raise Refused(f"{whom}: {reply.why}")
        return reply

    async def _members(self) -> dict[str, str]:
        """The node of each worker whose heartbeats are kept, by the worker's id; empty before the first."""
        from actors.fabric.members import Unreadable, decode

        stream, prefix = f"KV_butai-{self._cluster}-members", f"$KV.butai-{self._cluster}-members."
        jetstream = self._connection.client.jetstream(timeout=SECONDS)
        members: dict[str, str] = {}
        try:
            info = await jetstream.stream_info(stream, subjects_filter=f"{prefix}>")
            for subject in info.state.subjects or {}:
                try:
                    entry = await jetstream.get_last_msg(stream, subject)
                    member = decode(entry.data or b"")
                except (Unreadable, nats.js.errors.NotFoundError):
                    # It has left a moment ago, or is of a release that this one does not know.
                    continue
                members[member.id] = member.node
        except nats.js.errors.NotFoundError:
            return {}
        except nats.errors.Error as error:
            raise TimeoutError(f"the bus does not answer: {str(error) or type(error).__name__}") from error
        return members


class _Answers:
    """What came back from everyone so far."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeFacts] = {}
        self.workers: dict[str, WorkerFacts] = {}
        self.news = asyncio.Event()

    async def take(self, message: Msg) -> None:
        if message.data:
            try:
                reply = decode_reply(message.data)
            except NotUnderstood as error:
                log.warning("an answer was not understood: %s", error)
                return
            match reply:
                case NodeStatus(facts=node):
                    self.nodes[node.node] = node
                case WorkerStatus(facts=worker):
                    self.workers[worker.worker] = worker
        self.news.set()

    def complete(self, expected: dict[str, str]) -> bool:
        """Everyone who was expected has answered, and every worker that a node names."""
        return bool(expected) and self.nodes.keys() >= {*expected.values()} and not self._missing(expected)

    def survey(self, expected: dict[str, str]) -> Survey:
        return Survey(
            [self.nodes[node] for node in sorted(self.nodes)],
            [self.workers[worker] for worker in sorted(self.workers)],
            sorted(self._missing(expected)),
        )

    def _missing(self, expected: dict[str, str]) -> set[str]:
        named = {slot.worker for node in self.nodes.values() for slot in node.slots if _due(slot.state)}
        # Its own node knows best whether a worker lives.
        unknown: Iterable[str] = (worker for worker, node in expected.items() if node not in self.nodes)
        return ({*named, *unknown} - {""}) - self.workers.keys()


def _due(state: str) -> bool:
    """Whether a worker in this state answers."""
    return state in ("serving", "replacing")
