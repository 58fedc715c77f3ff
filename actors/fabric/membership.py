"""One worker's part in the membership: it says every second that it is there, and hears the others say so.

Heartbeats are put into a JetStream key-value bucket, so that a newcomer finds who is there; that one is
confirmed extends this worker's lease. They are heard as they pass, on the bucket's subjects, by an ordinary
subscription. A bucket that is lost with its server is made anew and filled by the next heartbeats.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import StorageType

from actors.cancellation import end
from actors.fabric.connection import Connection, Unreachable
from actors.fabric.members import MEMBER_BYTES, Member, State, Unreadable, View, decode, encode
from actors.lease import LEASE_SECONDS, Lease
from actors.placement import Candidate

logger = logging.getLogger(__name__)

PERIOD = 1.0
"""Seconds between heartbeats."""
PUT_SECONDS = 1.0
"""How long a heartbeat waits for its confirmation."""
CHECK_SECONDS = 1.0
"""How long the check of the epochs may take: meanwhile no heartbeat is sent."""
HURRY = 0.05
"""Seconds between heartbeats at least, when there is something to find out."""
REFRESH_SECONDS = 5.0
"""How long making the bucket and reading it may take."""
KEPT = 10.0
"""Seconds after which the bucket forgets a member that does not renew its entry."""
BUCKET_BYTES = 16 * 1024 * 1024
READERS = 16
"""Entries read at once when the bucket is read as a whole."""
DEATHS = 1024
"""Ids in a notice of deaths at most."""


class _Ack(msgspec.Struct):
    """JetStream's confirmation of a put."""

    seq: int = 0
    error: Any = None


class _Deaths(msgspec.Struct, frozen=True, array_like=True):
    version: int
    workers: list[str]


_decode_ack = msgspec.json.Decoder(_Ack).decode
_decode_deaths = msgspec.msgpack.Decoder(_Deaths).decode


def death_notice(cluster: str, workers: Sequence[str]) -> tuple[str, bytes]:
    """Subject and message by which a node tells the cluster at once that workers of its own have ended."""
    return f"butai.{cluster}.deaths", msgspec.msgpack.encode(_Deaths(1, list(workers)))


class Membership:
    """``clock`` is monotonic, in seconds, and the lease's. ``recheck`` is awaited when the lease had ended
    before a heartbeat was confirmed: only when it returns may this worker decide again, so it must check the
    epochs of the shards held, within ``CHECK_SECONDS``. When it cannot and raises, it is called again."""

    def __init__(
        self,
        connection: Connection,
        cluster: str,
        me: Member,
        lease: Lease,
        recheck: Callable[[], Awaitable[None]],
        clock: Callable[[], float],
        replicas: int = 1,
        silence: float = LEASE_SECONDS,
        period: float = PERIOD,
    ) -> None:
        self.view = View(silence)
        self.on_change: list[Callable[[], object]] = []
        """Called when a member came, went, or describes itself otherwise."""
        self.on_gone: list[Callable[[str], object]] = []
        """Called with a member's id when it is gone, before ``on_change``."""
        self.confirmed: float | None = None
        """When the latest confirmed heartbeat was sent."""
        self.trouble = ""
        """Why the latest heartbeat was not confirmed."""
        self.unreadable = 0
        self._connection = connection
        self._me = me
        self._lease = lease
        self._recheck = recheck
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._cluster = cluster
        self._bucket = f"butai-{cluster}-members"
        self._stream = f"KV_{self._bucket}"
        self._prefix = f"$KV.{self._bucket}."
        self._deaths = f"butai.{cluster}.deaths"
        self._replicas = replicas
        self._silence = silence
        self._period = period
        self._sent: dict[int, float] = {}
        self._stale = True
        self._poke = asyncio.Event()
        self._heard_myself = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._subscriptions: list[Any] = []

    # Who is there ----------------------------------------------------------------------------------------

    @property
    def me(self) -> Member:
        """This worker, as it describes itself."""
        return self._me

    @property
    def members(self) -> Mapping[str, Member]:
        """Those who are there, by id; this worker among them."""
        return self.view.members

    def candidates(self, context: str) -> Sequence[Candidate]:
        """The active workers that may own shards of the context."""
        return [
            Candidate(member.id, member.capacity)
            for member in self.view.members.values()
            if member.state == "active" and "actors" in member.roles and context in member.contexts
        ]

    def is_alive(self, worker: str) -> bool:
        """Heard of within the lease, and not said to be dead."""
        return worker in self.view.members

    def is_dead(self, worker: str) -> bool:
        """Said to have ended, by its node or by itself."""
        return self.view.is_dead(worker)

    def last_heard(self, worker: str) -> float | None:
        """When its heartbeat was last seen to change, on ``clock``; None if never."""
        return self.view.last_heard(worker)

    # Beginning and end -----------------------------------------------------------------------------------

    async def open(self, deadline: float = 10.0) -> None:
        """Return when everyone who was there is known, this worker included, and its lease holds.

        Raises Unreachable or TimeoutError."""
        self._connection.on_change.append(self._link_changed)
        self._subscriptions = [
            await self._connection.subscribe(f"{self._prefix}>", self._heard),
            await self._connection.subscribe(self._deaths, self._death_heard),
        ]
        self._task = self._loop.create_task(self._run(), name="membership")
        self._task.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(deadline):
                await self._heard_myself.wait()
                while self._stale or self.confirmed is None:  # noqa: ASYNC110 - has a deadline
                    await asyncio.sleep(0.005)
        except TimeoutError as error:
            raise TimeoutError(
                f"not a member within {deadline:g} s: {self.trouble or 'no answer'}"
            ) from error

    async def close(self) -> None:
        """Say that this worker has ended, if that can be said, and hear nothing more."""
        if self._link_changed in self._connection.on_change:
            self._connection.on_change.remove(self._link_changed)
        if self._timer is not None:
            self._timer.cancel()
        await end(self._task)
        for subscription in self._subscriptions:
            await subscription.unsubscribe()
        self._lease.until = float("-inf")
        try:
            self._connection.publish(*death_notice(self._cluster, [self._me.id]))
            await self._connection.request(
                f"{self._prefix}{self._me.id}", b"", PUT_SECONDS, headers={"KV-Operation": "DEL"}
            )
        except (OSError, TimeoutError, nats.errors.Error) as error:
            logger.info("the cluster was not told of the end", extra={"fields": {"error": str(error)}})

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """The task that sends heartbeats; its owner watches it."""
        return self._task

    def become(self, state: State) -> None:
        """Say at once that this worker is in another state now."""
        self.describe(msgspec.structs.replace(self._me, state=state))

    def describe(self, me: Member) -> None:
        """Say at once that this worker is another than it was; its id stays."""
        self._me = msgspec.structs.replace(me, id=self._me.id, beat=self._me.beat)
        self._poke.set()

    async def settled(self) -> bool:
        """Return when all that was sent before this call has been heard here; False if that takes too long.

        On several servers a message may take another way than this worker's own heartbeat, which is what the
        margin on leases is for."""
        asked = self._clock()
        try:
            async with asyncio.timeout(2 * PUT_SECONDS):
                while self.view.heard_until < asked:
                    self._heard_myself.clear()
                    self._poke.set()
                    await self._heard_myself.wait()
        except TimeoutError:
            return False
        return True

    # Heartbeats ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            began = self._clock()
            self._poke.clear()
            try:
                if self._stale:
                    await self._refresh()
                await self._beat()
            except (OSError, TimeoutError, nats.errors.Error, msgspec.MsgspecError) as error:
                # Whatever is wrong with the bucket, it may have gone with its server.
                self._stale = True
                self._failed(error)
            try:
                async with asyncio.timeout(max(0.0, began + self._period - self._clock())):
                    await self._poke.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(max(0.0, began + HURRY - self._clock()))

    async def _beat(self) -> None:
        self._me = me = msgspec.structs.replace(self._me, beat=self._me.beat + 1)
        sent = self._sent[me.beat] = self._clock()
        for old in [beat for beat in self._sent if beat < me.beat - 64]:
            del self._sent[old]
        message = await self._connection.request(f"{self._prefix}{me.id}", encode(me), PUT_SECONDS)
        ack = _decode_ack(message.data)
        if ack.error is not None:
            raise Unreachable(f"the heartbeat was refused: {ack.error}")
        if self._clock() > self._lease.until:
            # Others may have taken what this worker holds: it must look before it decides anything.
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._recheck()
            except Exception as error:
                raise Unreachable(f"the shards' epochs could not be checked: {error!r}") from error
        self._lease.until = max(self._lease.until, sent + self._silence)
        self.confirmed = sent
        if self.trouble:
            logger.info("heartbeats are confirmed again")
            self.trouble = ""

    def _failed(self, error: Exception) -> None:
        why = str(error) or type(error).__name__
        if not self.trouble:
            logger.warning("a heartbeat was not confirmed", extra={"fields": {"error": why}})
        self.trouble = why

    def _link_changed(self, connected: bool) -> None:
        if connected:
            self._stale = True
            self.view.forgive(self._clock())
            self._look_later()
            self._poke.set()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            logger.critical("heartbeats have stopped", exc_info=task.exception())

    async def _refresh(self) -> None:
        """Make the bucket if it is not there, and read who is in it."""
        async with asyncio.timeout(REFRESH_SECONDS):
            jetstream = self._connection.client.jetstream(timeout=PUT_SECONDS)
            try:
                info = await jetstream.stream_info(self._stream, subjects_filter=f"{self._prefix}>")
            except nats.js.errors.NotFoundError:
                await self._create(jetstream)
            else:
                readers = asyncio.Semaphore(READERS)
                async with asyncio.TaskGroup() as group:
                    for subject in info.state.subjects or {}:
                        group.create_task(self._read(jetstream, subject, readers))
        self._stale = False

    async def _create(self, jetstream: JetStreamContext) -> None:
        try:
            await jetstream.create_key_value(
                bucket=self._bucket,
                description="who is there; written every second",
                history=1,
                ttl=KEPT,
                max_value_size=MEMBER_BYTES,
                max_bytes=BUCKET_BYTES,
                storage=StorageType.MEMORY,
                replicas=self._replicas,
            )
        except nats.js.errors.BadRequestError as error:
            # Somebody else has just made it.
            logger.info("the members' bucket was not made", extra={"fields": {"error": str(error)}})

    async def _read(self, jetstream: JetStreamContext, subject: str, readers: asyncio.Semaphore) -> None:
        async with readers:
            try:
                entry = await jetstream.get_last_msg(self._stream, subject)
            except nats.js.errors.NotFoundError:
                return
        self._news(subject, entry.data or b"", entry.headers, passing=False)

    # What is heard ---------------------------------------------------------------------------------------

    async def _heard(self, message: Msg) -> None:
        self._news(message.subject, message.data, message.headers, passing=True)

    def _news(self, subject: str, data: bytes, headers: Mapping[str, str] | None, passing: bool) -> None:
        """``passing``: heard in its order among all heartbeats, not read from the bucket."""
        id = subject.removeprefix(self._prefix)
        if headers is not None and headers.get("KV-Operation") in ("DEL", "PURGE"):
            self._died([id])
            return
        try:
            member = decode(data)
        except Unreadable as error:
            if self.unreadable == 0:
                logger.warning(
                    "a heartbeat cannot be read", extra={"fields": {"on": subject, "why": str(error)}}
                )
            self.unreadable += 1
            return
        if member.id != id:
            return
        changed = self.view.beat(member, self._clock())
        if passing and id == self._me.id:
            sent = self._sent.get(member.beat)
            if sent is not None:
                self._gone(self.view.came_back(sent))
                self._heard_myself.set()
        if changed:
            self._changed()
        self._look_later()

    async def _death_heard(self, message: Msg) -> None:
        try:
            deaths = _decode_deaths(message.data) if len(message.data) <= MEMBER_BYTES else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            deaths = None
        if deaths is None or deaths.version != 1:
            self.unreadable += 1
            return
        self._died(deaths.workers[:DEATHS])

    def _died(self, ids: Sequence[str]) -> None:
        known = set(self.view.members)
        news = [id for id in ids if id != self._me.id and len(id) <= 64 and self.view.died(id)]
        self._gone([id for id in news if id in known])

    def _gone(self, ids: Sequence[str]) -> None:
        for id in ids:
            how = "ended" if self.view.is_dead(id) else "silent"
            logger.warning("a member is gone", extra={"fields": {"member": id, "how": how}})
            for call in list(self.on_gone):
                call(id)
        if ids:
            self._changed()

    def _changed(self) -> None:
        for call in list(self.on_change):
            call()

    def _look_later(self) -> None:
        """Send a heartbeat the moment somebody may be gone: only what comes back with it can tell."""
        due = self.view.next_silence()
        if due is None or self._timer is not None:
            return
        self._timer = self._loop.call_later(max(0.0, due - self._clock()), self._look)

    def _look(self) -> None:
        self._timer = None
        due = self.view.next_silence()
        if due is not None and due <= self._clock():
            self._poke.set()
        else:
            self._look_later()
