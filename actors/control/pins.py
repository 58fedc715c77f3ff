"""Pins: an operator's word that a shard is to live in a certain place.

A place is a node (``a1ae0f16``), a slot of one (``a1ae0f16-0``, whoever works there), or one worker's life. A
pin to a place where nobody is has no effect until somebody is.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from actors.cancellation import end
from actors.control import subjects
from actors.fabric.connection import Connection, Unreachable

log = logging.getLogger(__name__)

SECONDS = 2.0
"""How long the bus may take for one answer."""
REFRESH_SECONDS = 10.0
"""How long reading all pins may take."""
AGAIN = 1.0
"""Seconds between two attempts to read them."""
READERS = 16
"""Pins read at once."""
BUCKET_BYTES = 16 * 1024 * 1024

PLACE = re.compile(r"[A-Za-z0-9_-]{1,64}")
KEY = re.compile(r"([a-z][a-z0-9_]*)\.(0|[1-9][0-9]{0,3})")


def resolve(pins: Mapping[int, str], workers: Iterable[str]) -> dict[int, str]:
    """One context's pins as ``placement`` takes them: the worker of each pinned shard. Shards that are pinned
    to a node are dealt out to its workers; those whose place is empty are left out."""
    known = sorted(workers)
    found: dict[int, str] = {}
    for shard, place in pins.items():
        there = [worker for worker in known if worker == place or worker.startswith(f"{place}-")]
        if there:
            found[shard] = there[shard % len(there)]
    return found


def lasting_place(place: str) -> str:
    """The slot of a worker's id, because the life ends with its next restart; any other place as it is."""
    parts = place.split("-")
    return "-".join(parts[:2]) if len(parts) == 4 else place


class Pins:
    """The cluster's pins, kept up to date from ``open`` to ``close``."""

    def __init__(self, connection: Connection, cluster: str, replicas: int = 1) -> None:
        self.on_change: list[Callable[[], object]] = []
        """Called when a pin was made, moved or taken away."""
        self._connection = connection
        self._replicas = replicas
        bucket = subjects.pins_bucket(cluster)
        self._bucket = bucket
        self._stream = f"KV_{bucket}"
        self._prefix = f"$KV.{bucket}."
        self._pins: dict[str, dict[int, str]] = {}
        self._stale = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._subscription: Any = None

    def of(self, context: str) -> Mapping[int, str]:
        """The place of each pinned shard of a context."""
        return self._pins.get(context, {})

    def all(self) -> list[tuple[str, int, str]]:
        """Context, shard and place of each pin, in order."""
        return sorted((c, shard, place) for c, pins in self._pins.items() for shard, place in pins.items())

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """The task that reads the pins again when the bus was away; its owner watches it."""
        return self._task

    async def open(self) -> None:
        """Return when all pins are known. Raises Unreachable or TimeoutError."""
        self._subscription = await self._connection.subscribe(f"{self._prefix}>", self._heard)
        await self._refresh()
        self._connection.on_change.append(self._link_changed)
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="pins")

    async def close(self) -> None:
        """Hear of pins no more."""
        if self._link_changed in self._connection.on_change:
            self._connection.on_change.remove(self._link_changed)
        await end(self._task)
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    async def pin(self, context: str, shard: int, place: str) -> None:
        """Pin a shard. Raises ValueError for what can be no pin, Unreachable or TimeoutError."""
        key = f"{context}.{shard}"
        if not KEY.fullmatch(key) or not PLACE.fullmatch(place):
            raise ValueError(f"{key} cannot be pinned to {place!r}")
        await self._put(key, place.encode(), {})

    async def unpin(self, context: str, shard: int) -> bool:
        """Take a pin away; False if there was none. Raises Unreachable or TimeoutError."""
        if shard not in self.of(context):
            return False
        await self._put(f"{context}.{shard}", b"", {"KV-Operation": "DEL"})
        return True

    async def _put(self, key: str, value: bytes, headers: dict[str, str]) -> None:
        try:
            await self._jetstream().publish(f"{self._prefix}{key}", value, headers=headers or None)
        except nats.errors.Error as error:
            raise Unreachable(f"the pins cannot be written: {error}") from error

    # Keeping up ------------------------------------------------------------------------------------------

    def _jetstream(self) -> JetStreamContext:
        return self._connection.client.jetstream(timeout=SECONDS)

    def _link_changed(self, connected: bool) -> None:
        if connected:
            self._stale.set()

    async def _keep(self) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                await self._refresh()
            except (OSError, TimeoutError) as error:
                log.warning("the pins cannot be read", extra={"fields": {"error": str(error)}})
                await asyncio.sleep(AGAIN)
                self._stale.set()

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(REFRESH_SECONDS):
                pins = await self._read_all(self._jetstream())
        except nats.errors.TimeoutError as error:
            raise TimeoutError("the bus did not answer") from error
        except nats.errors.Error as error:
            raise Unreachable(f"the pins cannot be read: {error}") from error
        if pins != self._pins:
            self._pins = pins
            self._changed()

    async def _read_all(self, jetstream: JetStreamContext) -> dict[str, dict[int, str]]:
        try:
            info = await jetstream.stream_info(self._stream, subjects_filter=f"{self._prefix}>")
        except nats.js.errors.NotFoundError:
            await self._create(jetstream)
            return {}
        pins: dict[str, dict[int, str]] = {}
        readers = asyncio.Semaphore(READERS)

        async def read(subject: str) -> None:
            async with readers:
                try:
                    entry = await jetstream.get_last_msg(self._stream, subject)
                except nats.js.errors.NotFoundError:
                    return
            _apply(pins, subject.removeprefix(self._prefix), entry.data or b"")

        await asyncio.gather(*(read(subject) for subject in info.state.subjects or {}))
        return pins

    async def _create(self, jetstream: JetStreamContext) -> None:
        try:
            await jetstream.create_key_value(
                bucket=self._bucket,
                description="where operators want shards to live",
                history=1,
                max_value_size=64,
                max_bytes=BUCKET_BYTES,
                replicas=self._replicas,
            )
        except nats.js.errors.BadRequestError as error:
            # Somebody else has just made it.
            log.info("the pins' bucket was not made", extra={"fields": {"error": str(error)}})

    async def _heard(self, message: Msg) -> None:
        if _apply(self._pins, message.subject.removeprefix(self._prefix), message.data):
            self._changed()

    def _changed(self) -> None:
        for call in list(self.on_change):
            call()


def _apply(pins: dict[str, dict[int, str]], key: str, value: bytes) -> bool:
    """Take one entry into account; False if it changed nothing. Nothing in it: the pin was taken away."""
    match = KEY.fullmatch(key)
    place = value.decode("ascii", "replace")
    if match is None or (value and not PLACE.fullmatch(place)):
        return False
    of_context = pins.setdefault(match[1], {})
    before = of_context.get(int(match[2]))
    if value:
        of_context[int(match[2])] = place
    else:
        of_context.pop(int(match[2]), None)
    return before != (place or None)
