"""This worker's part in the cluster: how it reaches the other workers, and which shards it serves.

Put together once, by ``gateway/worker.py``: one connection to the bus, over which go heartbeats, asks for
shards that live elsewhere, hints that shards have moved, pins and what operators ask.
"""

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Annotated

import msgspec
import nats.errors

from actors.company import Company
from actors.control.access import access
from actors.control.facts import WorkerFacts
from actors.control.pins import Pins, resolve
from actors.control.views import ViewControl
from actors.control.worker import Control
from actors.fabric.codec import EnvelopeCodec
from actors.fabric.connection import Connection, Msg, Unreachable, connect
from actors.fabric.courier import Courier
from actors.fabric.members import VERSION, Member
from actors.fabric.membership import Membership
from actors.identity import Identity
from actors.lease import LEASE_SECONDS, Lease
from actors.messages import Ask, Reason, Refused
from actors.ownership import Ownership
from actors.region import Region
from actors.routing import Router
from actors.settings import EMBEDDED, Settings
from actors.views.projections import Projections

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
"""How long the bus may take to answer when a worker starts."""
AWAY = 20_000
"""Asks of one context that are away to other workers at once; more are refused."""


_decode_shards = msgspec.msgpack.Decoder(Annotated[list[int], msgspec.Meta(max_length=4096)]).decode


class NotJoined(Exception):
    """This worker cannot be part of the cluster; one line."""


class Cluster:
    """From ``join`` to ``close``; everything runs on one loop."""

    def __init__(
        self, settings: Settings, identity: Identity, regions: Mapping[str, Region], lease: Lease
    ) -> None:
        self.settings = settings
        self.identity = identity
        self.regions = regions
        self.lease = lease
        self.ownerships: dict[str, Ownership] = {}
        self.routers: dict[str, Router] = {}
        self.connection: Connection
        self.membership: Membership
        self.courier: Courier
        self._pins: Pins
        self._loop = asyncio.get_running_loop()
        self._own_bus = settings.bus == EMBEDDED
        self._parts = contextlib.AsyncExitStack()

    @staticmethod
    def lease_for(settings: Settings) -> Lease:
        """On a bus of the node's own all workers are children of one node, which kills those that hang and
        tells of every death: nobody takes a shard from the silent, so the lease never ends."""
        return Lease() if settings.bus == EMBEDDED else Lease(-math.inf)

    # Beginning -------------------------------------------------------------------------------------------

    async def join(self, journals: Mapping[str, str]) -> None:
        """Be a member, reachable by the others, and begin to take shards. ``journals`` tells by context where
        its events are kept. Raises NotJoined."""
        identity, settings = self.identity, self.settings
        try:
            opening = access(settings, identity.bus, identity.token)
            self.connection = await connect(opening, identity.worker, CONNECT_SECONDS)
            self._parts.push_async_callback(self.connection.close)
            await self._open_membership(journals)
            await self._open_courier()
            await self._open_pins()
        except (OSError, TimeoutError, nats.errors.Error) as error:
            raise NotJoined(f"bus: {error or type(error).__name__}") from error
        self._refuse_strangers(journals)
        members = Company(self.membership, identity, self._own_bus, self._loop.time)
        for name, region in self.regions.items():
            await self._open_ownership(name, region, members)
        self.membership.on_gone.append(self.courier.worker_gone)
        self.membership.on_change.append(self._look_again)
        self._pins.on_change.append(self._look_again)
        self._look_again()

    async def _open_membership(self, journals: Mapping[str, str]) -> None:
        identity, settings = self.identity, self.settings
        me = Member(
            version=VERSION,
            id=identity.worker,
            node=identity.node,
            host=socket.gethostname()[:256],
            address=settings.gateway.bind if "gateway" in settings.node.roles else "",
            roles=settings.node.roles,
            contexts=settings.node.contexts or tuple(self.regions),
            capacity=settings.node.capacity,
            state="active",
            release=version("butai"),
            journals=dict(journals),
        )
        self.membership = Membership(
            self.connection,
            settings.cluster,
            me,
            self.lease,
            self._recheck,
            self._loop.time,
            replicas=settings.fabric.replicas,
            silence=math.inf if self._own_bus else LEASE_SECONDS,
        )
        for worker in identity.ended:
            self.membership.view.died(worker)
        self._parts.push_async_callback(self.membership.close)
        await self.membership.open(CONNECT_SECONDS)

    async def _open_courier(self) -> None:
        codec = EnvelopeCodec({name: region.manifest for name, region in self.regions.items()})
        identity = self.identity
        self.courier = Courier(
            self.connection, codec, identity.cluster, identity.worker, self._deliver, self._loop.time
        )
        self._parts.push_async_callback(self.courier.close)
        await self.courier.open()

    async def _open_pins(self) -> None:
        self._pins = Pins(self.connection, self.settings.cluster, self.settings.fabric.replicas)
        self._parts.push_async_callback(self._pins.close)
        await self._pins.open()

    async def _open_ownership(self, name: str, region: Region, members: Company) -> None:
        clock, worker = self._loop.time, self.identity.worker
        router = Router(name, worker, self.courier, region.tell, region.command_id, clock, AWAY)
        region.router = self.routers[name] = router
        subject = f"butai.{self.settings.cluster}.shards.{name}"
        ownership = Ownership(
            region,
            router,
            members,
            partial(self._tell_moved, subject),
            worker,
            clock,
            partial(self._pinned, name),
        )
        self.ownerships[name] = ownership
        self._parts.push_async_callback(ownership.stop)

        async def moved(message: Msg) -> None:
            with contextlib.suppress(msgspec.MsgspecError):
                router.wake(_decode_shards(message.data))
            ownership.changed()

        try:
            await self.connection.subscribe(subject, moved)
        except (OSError, TimeoutError) as error:
            raise NotJoined(f"bus: {error}") from error

    def _refuse_strangers(self, journals: Mapping[str, str]) -> None:
        """Workers that keep a context's events in different places must not share its shards."""
        for member in self.membership.members.values():
            for context, identity in journals.items():
                theirs = member.journals.get(context, identity)
                if theirs != identity:
                    raise NotJoined(
                        f"journal: the cluster {self.settings.cluster} keeps the events of {context} "
                        f"elsewhere: in {theirs} on node {member.node}, in {identity} here "
                        "(sqlite serves one node)"
                    )

    async def serve(self, status: Callable[[], WorkerFacts], projections: Mapping[str, Projections]) -> None:
        """Begin to answer operators; ``projections`` fold the views, by context. Raises NotJoined."""
        views = ViewControl(projections)
        control = Control(self.connection, self.identity, status, self._release, views.handle)
        self._parts.push_async_callback(control.stop)
        try:
            await control.start()
        except (OSError, TimeoutError) as error:
            raise NotJoined(f"bus: {error}") from error

    # What others ask -------------------------------------------------------------------------------------

    def _deliver(self, context: str, shard: int, ask: Ask) -> None:
        region = self.regions.get(context)
        if region is None:
            ask.reply(Refused(Reason.MOVED, f"{context} is not served here", retry_after=1.0))
        else:
            region.tell(ask)

    def _release(self, context: str, aggregate: str, id: str) -> bool:
        region = self.regions.get(context)
        return region is not None and region.release(aggregate, id)

    def _pinned(self, context: str) -> dict[int, str]:
        pins = self._pins.of(context)
        return resolve(pins, [c.id for c in self.membership.candidates(context)]) if pins else {}

    def _tell_moved(self, subject: str, shards: Sequence[int]) -> None:
        # Who does not hear it finds out by looking, a moment later.
        with contextlib.suppress(Unreachable):
            self.connection.publish(subject, msgspec.msgpack.encode(shards))

    def _look_again(self) -> None:
        for ownership in self.ownerships.values():
            ownership.changed()

    async def _recheck(self) -> None:
        await asyncio.gather(*(ownership.recheck() for ownership in self.ownerships.values()))

    # Health ----------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether this worker serves all that it should."""
        return all(self._has_its_share(name) for name in self.ownerships)

    def _has_its_share(self, name: str) -> bool:
        # Who owns no shards is ready to send asks to those who will.
        return self.ownerships[name].complete or "actors" not in self.settings.node.roles

    def troubles(self) -> Mapping[str, str]:
        """Why not everything can be reached or served, by what it concerns; empty when all is well. Shards on
        their way are not told: all that are left would call themselves unready when one worker is lost."""
        found: dict[str, str] = {}
        if not self.lease.holds(self._loop.time()):
            found["lease"] = f"it has ended: {self.membership.trouble or self.connection.trouble}"
        elif not self.connection.connected and len(self.membership.members) > 1:
            found["bus"] = f"it is away: {self.connection.trouble}"
        for name, ownership in self.ownerships.items():
            if ownership.trouble:
                found[name] = ownership.trouble
            elif not ownership.wanted:
                found[name] = "no worker serves its shards"
        return found

    def death(self) -> str | None:
        """Why this worker cannot go on, should one of its tasks have ended."""
        tasks = [self.membership.task, self._pins.task, *(o.task for o in self.ownerships.values())]
        for task in tasks:
            if task is not None and task.done():
                cause = None if task.cancelled() else task.exception()
                return f"{task.get_name()} ended: {cause!r}"
        return None

    # The end ---------------------------------------------------------------------------------------------

    @property
    def leaving(self) -> bool:
        """Whether it has said that it leaves."""
        return self.membership.me.state in ("leaving", "drained")

    def leave(self) -> None:
        """Say that this worker leaves: its shards go to others, if there are others."""
        self.membership.become("leaving")
        self._look_again()

    async def drained(self, seconds: float) -> None:
        """Its clients are served. Return when it has no shards any more; when nobody can take them, when the
        others that leave have served their clients too; after ``seconds`` in any case."""
        self.membership.become("drained")
        try:
            async with asyncio.timeout(seconds):
                while any(region.shards for region in self.regions.values()) and self._needed():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        except TimeoutError:
            log.warning("shards were not handed over in time")

    def _needed(self) -> bool:
        """Whether somebody may take the shards, or still asks something of them."""
        if not self.connection.connected:
            return False
        states = [m.state for id, m in self.membership.members.items() if id != self.identity.worker]
        return any(self.membership.candidates(name) for name in self.regions) or "leaving" in states

    async def release(self) -> None:
        """Give up the shards that nobody took, after the last of their commands is answered."""
        for ownership in self.ownerships.values():
            await ownership.stop()
            await ownership.release_all()

    async def close(self) -> None:
        """Be a member no longer."""
        await self._parts.aclose()
